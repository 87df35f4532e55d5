/**
 * `npm run registry -- --port 5000 …` – the embedded registry as a program, for conformance suites, demos and trying things
 * out; docs/testing-registry.md lists the flags. Prints its address in one line, and ends with SIGINT or SIGTERM.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parseJson, textAt, valueAt } from '../src/core/json.ts';
import { quote, toLine } from '../src/core/printable.ts';
import {
  type RegistryAuth,
  type RegistryOptions,
  type RegistryUser,
  type Right,
  type Rights,
  startRegistry,
} from '../src/registry/server.ts';

const RIGHTS: readonly Right[] = ['pull', 'push', 'delete'];
const FLAGS = {
  port: { type: 'string' },
  directory: { type: 'string' },
  auth: { type: 'string' },
  users: { type: 'string' },
  'token-lifetime-ms': { type: 'string' },
  'token-uses': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-cert': { type: 'string' },
  'latency-ms': { type: 'string' },
  'immutable-tags': { type: 'string' },
  'immutable-status': { type: 'string' },
  'no-referrers': { type: 'boolean' },
  'no-tag-deletion': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
type Flag = keyof typeof FLAGS;

const problems: string[] = [];
const { values, positionals, tokens } = parseArgs({
  options: FLAGS,
  strict: false,
  allowPositionals: true,
  tokens: true,
});
const options = readOptions();
const flags = `The flags: ${Object.keys(FLAGS)
  .map((flag) => `--${flag}`)
  .join(' ')}\n`;
if (isSet('help') && problems.length === 0) {
  process.stdout.write(`npm run registry -- [FLAGS]: a registry for tests on this machine.\n${flags}`);
  process.stdout.write('docs/testing-registry.md says what they mean.\n');
} else if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n${flags}`);
  process.exitCode = 2;
} else await serve();

async function serve(): Promise<void> {
  try {
    if (options.directory !== undefined) makeDirectory(path.resolve(options.directory));
    const registry = await startRegistry(options);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void registry.close());
    process.stdout.write(`${registry.url}\n`);
  } catch (error) {
    process.stderr.write(`the registry cannot start: ${error instanceof Error ? toLine(error.message) : 'unknown'}\n`);
    process.exitCode = 1;
  }
}

/** Level by level: where a parent cannot be made, Node's own way to make them all may never end (as below /proc). */
function makeDirectory(directory: string): void {
  const parent = path.dirname(directory);
  if (parent !== directory && !existsSync(parent)) makeDirectory(parent);
  if (!existsSync(directory)) mkdirSync(directory);
  accessSync(directory, constants.W_OK | constants.X_OK);
}

function readOptions(): RegistryOptions {
  for (const word of positionals) problems.push(`${quote(word)}: only flags are allowed`);
  for (const name of Object.keys(values))
    if (!(name in FLAGS)) problems.push(`${quote(`--${name}`)}: there is no such flag`);
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
  for (const name of new Set(given.filter((one, index) => given.indexOf(one) < index)))
    problems.push(`${quote(`--${name}`)}: once is allowed`);
  const [directory, auth, tls] = [text('directory'), readAuth(), readTls()];
  const [port, latencyMs] = [count('port', 65_535), count('latency-ms')];
  const immutableTags = readImmutableTags();
  return {
    ...(directory === undefined ? {} : { directory }),
    ...(auth === undefined ? {} : { auth }),
    ...(tls === undefined ? {} : { tls }),
    ...(port === undefined ? {} : { port }),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(immutableTags === undefined ? {} : { immutableTags }),
    referrers: !isSet('no-referrers'),
    tagDeletion: !isSet('no-tag-deletion'),
  };
}

function readAuth(): RegistryAuth | undefined {
  const kind = text('auth');
  const file = text('users');
  const [tokenLifetimeMs, tokenUses] = [count('token-lifetime-ms'), count('token-uses')];
  if (tokenLifetimeMs !== undefined || tokenUses !== undefined)
    if (kind !== 'bearer') problems.push('--token-lifetime-ms and --token-uses go with --auth bearer');
  if (kind === undefined && file === undefined) return undefined;
  if (kind === undefined || file === undefined) return void problems.push('--auth and --users go together');
  const users = readUsers(file);
  if (kind === 'basic') return { kind, users };
  if (kind !== 'bearer') return void problems.push(`--auth: ${quote(kind)} is neither basic nor bearer`);
  const lifetime = tokenLifetimeMs === undefined ? {} : { tokenLifetimeMs };
  return { kind, users, ...lifetime, ...(tokenUses === undefined ? {} : { tokenUses }) };
}

/** A JSON list of users, as the library takes it. */
function readUsers(file: string): readonly RegistryUser[] {
  const json = parseJson(content('users', file) ?? '[]');
  if (!Array.isArray(json)) {
    problems.push(`--users: ${quote(file)} is no JSON list of { "name": …, "password": …, "rights": … }`);
    return [];
  }
  const entries: readonly unknown[] = json;
  return entries.flatMap((entry, index) => {
    const [name, password] = [textAt(entry, 'name'), textAt(entry, 'password')];
    const given = valueAt(entry, 'rights');
    const rights = given === undefined ? {} : readRights(given);
    if (name !== undefined && !name.includes(':') && password !== undefined && rights !== undefined) {
      return [{ name, password, ...rights }];
    }
    problems.push(
      `--users: entry ${index + 1} of ${quote(file)} needs a name without a colon, a password, and rights like { "acme/*": ["pull", "push", "delete"] }`,
    );
    return [];
  });
}

function readRights(json: unknown): { readonly rights: Rights } | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const rights: [string, readonly Right[]][] = [];
  for (const pattern of Object.keys(json)) {
    const list = valueAt(json, pattern);
    if (!Array.isArray(list)) return undefined;
    const words: readonly unknown[] = list;
    const known = RIGHTS.filter((right) => words.includes(right));
    if (known.length !== words.length) return undefined;
    rights.push([pattern, known]);
  }
  return { rights: Object.fromEntries(rights) };
}

function readTls(): RegistryOptions['tls'] {
  const [keyFile, certFile] = [text('tls-key'), text('tls-cert')];
  if (keyFile === undefined && certFile === undefined) return undefined;
  if (keyFile === undefined || certFile === undefined)
    return void problems.push('--tls-key and --tls-cert go together');
  return { key: content('tls-key', keyFile) ?? '', cert: content('tls-cert', certFile) ?? '' };
}

function readImmutableTags(): RegistryOptions['immutableTags'] {
  const pattern = text('immutable-tags');
  const given = text('immutable-status') ?? '400';
  const status = ([400, 409, 412] as const).find((one) => String(one) === given);
  if (status === undefined) problems.push(`--immutable-status: ${quote(given)} is none of 400, 409, 412`);
  if (pattern === undefined && isSet('immutable-status'))
    problems.push('--immutable-status goes with --immutable-tags');
  if (pattern === undefined || status === undefined) return undefined;
  try {
    return { tags: new RegExp(pattern), status };
  } catch {
    return void problems.push(`--immutable-tags: ${quote(pattern)} is no regular expression`);
  }
}

function isSet(flag: Flag): boolean {
  const value = values[flag];
  if (FLAGS[flag].type === 'boolean' && typeof value === 'string') problems.push(`--${flag} takes no value`);
  return value !== undefined;
}

function text(flag: Flag): string | undefined {
  const value = values[flag];
  if (typeof value === 'string' && value !== '') return value;
  if (value !== undefined) problems.push(`--${flag} needs a value`);
  return undefined;
}

function count(flag: Flag, most = 1_000_000_000): number | undefined {
  const given = text(flag);
  if (given === undefined) return undefined;
  if (/^\d{1,10}$/.test(given) && Number(given) <= most) return Number(given);
  return void problems.push(`--${flag}: ${quote(given)} is no number up to ${most}`);
}

function content(flag: Flag, file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return void problems.push(`--${flag}: ${error instanceof Error ? toLine(error.message) : quote(file)}`);
  }
}
