import type { ChildProcess } from 'node:child_process';
import { parseJson, textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { CommandError } from '../errors.ts';
import { type Credentials, Secret } from './credentials.ts';

/** What a call of a credential helper needs. */
export interface HelperCall {
  /** The `NAME` of `docker-credential-NAME`. */
  readonly helper: string;
  /** The registry as Docker names it to helpers. */
  readonly serverAddress: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
}

const MAX_OUTPUT_BYTES = 1024 * 1024;
/** A user name that says: the secret is an identity token. */
const TOKEN_USERNAME = '<token>';

/**
 * Asks a credential helper: `docker-credential-NAME get`, the server on standard input. `undefined` when it has none. A
 * helper that is missing, fails or takes too long is a CommandError with code CREDENTIAL_HELPER_FAILED; what the helper
 * wrote is never part of it. Protocol: https://github.com/docker/docker-credential-helpers/blob/v0.9.4/README.md
 */
export async function askCredentialHelper(call: HelperCall): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(call.helper)) throw failed(call, 'its name is not valid');
  const { status, output } = await run(call);
  if (status !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw failed(call, `it ended with exit code ${status}`, { status });
  }
  const answer = parseJson(output);
  const username = textAt(answer, 'Username');
  const secret = textAt(answer, 'Secret');
  if (answer === undefined) throw failed(call, 'its answer is not JSON', { status });
  if (username === undefined && secret === undefined) return undefined;
  if (secret === undefined) throw failed(call, 'its answer holds no secret', { status });
  return username === TOKEN_USERNAME
    ? { identityToken: new Secret(secret) }
    : { username: username ?? '', password: new Secret(secret) };
}

interface HelperResult {
  readonly status: number;
  readonly output: string;
}

async function run(call: HelperCall): Promise<HelperResult> {
  // Most runs need no helper, and need not wait for this module.
  const { spawn } = await import('node:child_process');
  call.signal?.throwIfAborted();
  const child = spawn(`docker-credential-${call.helper}`, ['get'], {
    env: call.env,
    stdio: ['pipe', 'pipe', 'ignore'],
    windowsHide: true,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    child.kill('SIGKILL');
    // A child of the helper may hold it open.
    child.stdout.destroy();
  }, call.timeoutMs);
  try {
    // A helper that does not read its input is no failure.
    child.stdin.on('error', () => undefined);
    child.stdin.end(call.serverAddress);
    const [output, status] = await Promise.all([read(child.stdout), exitOf(child)]);
    return { status, output };
  } catch (cause) {
    if (late.signal.aborted) throw failed(call, `it gave no answer within ${call.timeoutMs / 1000} s`, { cause });
    const code = textAt(cause, 'code');
    throw failed(call, code === 'ENOENT' ? 'there is no such program on the PATH' : 'it could not be run', { cause });
  } finally {
    clearTimeout(timer);
  }
}

async function read(output: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of output) {
    sizeBytes += chunk.length;
    if (sizeBytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => (status === null ? reject(new Error('ended by a signal')) : resolve(status)));
  });
}

function failed(call: HelperCall, why: string, details: { status?: number; cause?: unknown } = {}): CommandError {
  const command = `docker-credential-${call.helper}`;
  return new CommandError(
    'CREDENTIAL_HELPER_FAILED',
    `${quote(command)} gave no credentials for ${quote(call.serverAddress)}: ${why}`,
    {
      command,
      hint: "Repair the helper, or remove it from credsStore and credHelpers of Docker's config.json and log in again.",
      ...details,
    },
  );
}
