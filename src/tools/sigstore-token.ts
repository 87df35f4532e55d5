import { parseJson, textAt } from '../core/json.ts';
import { canIdentify } from '../core/sign-plan.ts';
import { BuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Transport } from '../registry/transport.ts';
import { askService, invalidAnswer, jsonOf, type Service } from './sigstore-requests.ts';

/** A proof of what this job is, for Fulcio. */
export interface IdentityToken {
  /** Secret; masked. */
  readonly text: string;
  /** What it is about, as Fulcio wants it signed with the key that is to be certified. */
  readonly challenge: string;
  readonly issuer: string;
  /** What the certificate's subject will be; `undefined` when the token is no job's. */
  readonly subject: string | undefined;
  /** As in a certificate's extensions; `undefined` as the subject. */
  readonly sourceRepository: string | undefined;
  readonly sourceRef: string | undefined;
}

const AUDIENCE = 'sigstore';

/**
 * Asks GitHub for the job's token. BuildOnceError `SIGN_NO_TOKEN` when the job may not have one, `SIGN_ANSWER_INVALID`, and
 * as of `askService`.
 */
export async function fetchToken(host: Host, transport: Transport): Promise<IdentityToken> {
  const address = host.env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '';
  const secret = host.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? '';
  if (!canIdentify(host.env) || !URL.canParse(address)) throw noToken(host);
  const url = new URL(address);
  url.searchParams.set('audience', AUDIENCE);
  const service: Service = { title: "GitHub's token service", url };
  const answer = await askService(transport, service, { method: 'GET', authorization: `Bearer ${secret}` });
  const text = textAt(jsonOf(service, answer), 'value');
  if (text === undefined) throw invalidAnswer(service, 'it holds no token');
  host.log.mask(text);
  const claims = parseJson(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
  const challenge = textAt(claims, 'sub');
  const issuer = textAt(claims, 'iss');
  if (challenge === undefined || issuer === undefined) throw invalidAnswer(service, 'it holds no token with a subject');
  const server = host.env['GITHUB_SERVER_URL'] || 'https://github.com';
  const addressOf = (path: string | undefined) => (path === undefined ? undefined : `${server}/${path}`);
  return {
    text,
    challenge,
    issuer,
    subject: addressOf(textAt(claims, 'job_workflow_ref')),
    sourceRepository: addressOf(textAt(claims, 'repository')),
    sourceRef: textAt(claims, 'ref'),
  };
}

function noToken({ env }: Host): BuildOnceError {
  const hint =
    env['GITHUB_ACTIONS'] === 'true'
      ? 'Add to the job: permissions: { id-token: write }. A pull request from a fork never gets one.'
      : 'Keyless signing works in jobs of GitHub Actions; elsewhere use sign: key, or sign: none.';
  return new BuildOnceError('SIGN_NO_TOKEN', 'this job has no identity to sign with: it may not ask for a token', 1, {
    hint,
  });
}
