import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
// Deep, because the package's index loads nock, which takes over every request of the process.
import { fulcioHandler, initializeCA, initializeCTLog } from '@sigstore/mock/dist/fulcio/index.js';
import { initializeTLog, rekorHandler } from '@sigstore/mock/dist/rekor/index.js';
import { initializeTSA, tsaHandler } from '@sigstore/mock/dist/timestamp/index.js';
import { listen } from './listen.ts';

/** A job as its token describes it; the certificate has it as subject and extensions, as Fulcio writes them. */
export interface Job {
  /** `owner/name` */
  readonly repository: string;
  readonly ref: string;
  /** The workflow that signs, which may be another repository's; the repository's own release.yml when absent. */
  readonly workflow?: string;
  /** The ref of that workflow, where it is not the job's own. */
  readonly workflowRef?: string;
  readonly issuer?: string;
}

type Part = 'fulcio' | 'rekor' | 'tsa' | 'oidc';

/** `cut` ends the connection, `silent` never answers, `garbage` answers 200 with no JSON; a number is the status. */
type Fault = 'cut' | 'silent' | 'garbage' | number;

/** Fulcio, Rekor v1, its CT log, a time stamp authority and GitHub's token service, over real HTTP on this machine. */
export interface SigstoreServices {
  readonly url: string;
  /** As `cosign trusted-root create` writes it: what trusts these services and no others. */
  readonly trustedRoot: string;
  /** As `cosign signing-config create` writes it. */
  readonly signingConfig: string;
  /** The same with a time stamp authority. */
  readonly signingConfigWithTimestamps: string;
  /** Method and path, in the order of arrival. */
  readonly requests: readonly string[];
  /** Variables of a job that may ask for a token. */
  jobEnv(job?: Job): Readonly<Record<string, string>>;
  /** Every next request of this part fails so; `undefined` mends it. `times` that many of them only. */
  fail(part: Part, fault: Fault | undefined, times?: number): void;
  close(): void;
}

export interface SigstoreSettings {
  /** When Fulcio believes that it is; certificates are good for ten minutes. Now when absent. */
  readonly certificateTime?: Date;
}

export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';
export const MAIN_JOB: Job = { repository: 'o/r', ref: 'refs/heads/main' };

/** The subject of a job's certificate. */
export function subjectOf({ repository, ref, workflow, workflowRef }: Job): string {
  return `https://github.com/${workflow ?? `${repository}/.github/workflows/release.yml`}@${workflowRef ?? ref}`;
}

const START = '2020-01-01T00:00:00Z';

/** Nobody checks the signature of a token here, nor that a key is held: this stands for the wire, not for the policy. */
export async function startSigstore(settings: SigstoreSettings = {}): Promise<SigstoreServices> {
  const requests: string[] = [];
  const jobs = new Map<string, Job>();
  const faults = new Map<Part, { fault: Fault; times: number }>();
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  const url = `http://${await listen(server)}`;
  const parts = await makeParts(url, settings);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = request.url ?? '';
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    requests.push(`${request.method} ${path.replace(/\?.*$/, '')}`);
    const part = partOf(path);
    const fault = part === undefined ? undefined : take(part);
    if (fault === 'silent') return;
    if (fault === 'cut') return void request.socket.destroy();
    if (fault === 'garbage') return void response.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
    if (fault !== undefined)
      return void response.writeHead(fault).end(JSON.stringify({ message: 'no\u001b[31m luck' }));
    if (part === undefined) return void response.writeHead(404).end();
    if (part === 'oidc') return answerToken(response, jobs.get(bearer ?? ''), path);
    const body = Buffer.concat(chunks).toString();
    const found = await parts.handlers[part](part === 'fulcio' ? withCredentials(body, bearer) : canonical(body));
    // Go's client of Fulcio takes no 201.
    const status = part === 'fulcio' && found.statusCode === 201 ? 200 : found.statusCode;
    // Go's client of Rekor wants the name of the entry here too.
    const [etag] =
      part === 'rekor' && typeof found.response === 'string' ? (/[0-9a-f]{64}/.exec(found.response) ?? []) : [];
    const tag = etag === undefined ? {} : { etag };
    response.writeHead(status, { ...tag, 'content-type': found.contentType ?? 'text/plain' });
    response.end(found.response);
  }

  function take(part: Part): Fault | undefined {
    const planned = faults.get(part);
    if (planned === undefined || planned.times === 0) return undefined;
    planned.times -= 1;
    return planned.fault;
  }

  return {
    url,
    trustedRoot: parts.trustedRoot,
    signingConfig: signingConfig(url, false),
    signingConfigWithTimestamps: signingConfig(url, true),
    requests,
    jobEnv(job = MAIN_JOB) {
      const token = randomUUID();
      jobs.set(token, job);
      return { ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/oidc?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token };
    },
    fail(part, fault, times = Number.POSITIVE_INFINITY) {
      if (fault === undefined) faults.delete(part);
      else faults.set(part, { fault, times });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function makeParts(url: string, { certificateTime }: SigstoreSettings) {
  const [ca, ct, log, tsa] = [makeKeys(), makeKeys(), makeKeys(), makeKeys()];
  const ctLog = await initializeCTLog(ct);
  const authority = await initializeCA(ca, ctLog, certificateTime);
  const transparency = await initializeTLog(url, log);
  // The verifier takes no fraction of a second unless it has three digits.
  const clock = new Date();
  const timestamps = await initializeTSA(tsa, clock);
  const stamp = tsaHandler(timestamps, { strict: true }).fn;
  const handlers = {
    fulcio: fulcioHandler(authority, { strict: true }).fn,
    rekor: rekorHandler(transparency).fn,
    tsa: (body: string) => {
      clock.setTime(Math.floor(Date.now() / 1000) * 1000);
      return stamp(body);
    },
  };
  const bytesOf = (view: ArrayBufferView<ArrayBuffer>): string =>
    Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
  const validFor = { start: START };
  const authorityOf = (uri: string, certificates: readonly ArrayBufferView<ArrayBuffer>[]) => ({
    subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
    uri,
    certChain: { certificates: certificates.map((one) => ({ rawBytes: bytesOf(one) })) },
    validFor,
  });
  const logOf = (baseUrl: string, { publicKey }: typeof log) => {
    const der = publicKey.export({ type: 'spki', format: 'der' });
    return {
      baseUrl,
      hashAlgorithm: 'SHA2_256',
      publicKey: { rawBytes: der.toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
      logId: { keyId: createHash('sha256').update(der).digest('base64') },
    };
  };
  const trustedRoot = JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf(url, log)],
    certificateAuthorities: [authorityOf(url, [authority.rootCertificate])],
    ctlogs: [logOf(`${url}/ct`, ct)],
    timestampAuthorities: [authorityOf(url, [timestamps.intCertificate, timestamps.rootCertificate])],
  });
  return { handlers, trustedRoot };
}

function signingConfig(url: string, withTimestamps: boolean): string {
  const service = (at: string) => ({ url: at, majorApiVersion: 1, validFor: { start: START }, operator: 'test' });
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    caUrls: [service(url)],
    oidcUrls: [],
    rekorTlogUrls: [service(url)],
    rekorTlogConfig: { selector: 'ANY' },
    tsaUrls: withTimestamps ? [service(`${url}/api/v1/timestamp`)] : [],
    tsaConfig: withTimestamps ? { selector: 'ANY' } : {},
  });
}

function makeKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function partOf(path: string): Part | undefined {
  if (path.startsWith('/oidc?')) return 'oidc';
  if (path === '/api/v2/signingCert') return 'fulcio';
  if (path === '/api/v1/log/entries') return 'rekor';
  return path === '/api/v1/timestamp' ? 'tsa' : undefined;
}

function answerToken(response: ServerResponse, job: Job | undefined, path: string): void {
  if (job === undefined) return void response.writeHead(401).end('{}');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const audience = new URLSearchParams(path.slice(path.indexOf('?'))).get('audience');
  const { repository, ref, issuer = GITHUB_ISSUER } = job;
  const value = formatToken({
    iss: issuer,
    sub: `repo:${repository}:ref:${ref}`,
    aud: audience,
    iat: nowSeconds,
    nbf: nowSeconds - 5,
    exp: nowSeconds + 600,
    repository,
    ref,
    sha: '1234567890123456789012345678901234567890',
    event_name: 'push',
    job_workflow_ref: subjectOf(job).slice('https://github.com/'.length),
    run_id: '77',
    run_attempt: '1',
  });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ value }));
}

function formatToken(claims: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}.${Buffer.from('sig').toString('base64url')}`;
}

/** cosign sends the token as a header. The stand-in takes the subject as it is; Fulcio makes it of the workflow. */
function withCredentials(body: string, bearer: string | undefined): string {
  const request = JSON.parse(body);
  const token: string = request.credentials?.oidcIdentityToken ?? bearer ?? '';
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const oidcIdentityToken = formatToken({ ...claims, sub: `https://github.com/${claims.job_workflow_ref}` });
  return JSON.stringify({ ...request, credentials: { oidcIdentityToken } });
}

/** Rekor writes a `dsse` entry in its canonical form, without what was signed; the stand-in takes what it gets. */
function canonical(body: string): string {
  const entry = JSON.parse(body);
  if (entry.kind !== 'dsse' || entry.spec.proposedContent === undefined) return body;
  const hash = (bytes: Buffer | string) => ({
    algorithm: 'sha256',
    value: createHash('sha256').update(bytes).digest('hex'),
  });
  const { envelope, verifiers } = entry.spec.proposedContent;
  const parsed: { payload: string; signatures: readonly { sig: string }[] } = JSON.parse(envelope);
  const signatures = parsed.signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] }));
  const payloadHash = hash(Buffer.from(parsed.payload, 'base64'));
  return JSON.stringify({ ...entry, spec: { envelopeHash: hash(envelope), payloadHash, signatures } });
}
