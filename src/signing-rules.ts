import { canIdentify, planSigning, type SignMode, type SignPlan } from './core/sign-plan.ts';
import { isRelease, type TagPlan } from './core/tag-candidates.ts';
import { planTrust, type TrustPlan, type TrustSource } from './core/trust-plan.ts';
import type { Problem } from './errors.ts';
import type { Host } from './host.ts';
import type { Options } from './options.ts';
import type { RunEvent } from './stages/event.ts';

const GITHUB = 'https://github.com';
const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';

/** How a run signs, and whose images it reuses. */
export interface SigningRules {
  readonly mode: SignMode;
  readonly trust: TrustPlan;
  readonly problems: readonly Problem[];
  readonly unsigned: SignPlan['unsigned'];
}

/** Decides both before the first request: from the inputs, the job's permissions and what it runs for. */
export function decideSigning(
  { env }: Pick<Host, 'env'>,
  options: Options,
  { event, tags }: { readonly event: RunEvent; readonly tags: TagPlan | undefined },
): SigningRules {
  const source = sourceOf(env, event);
  const plan = planSigning({
    sign: options.sign,
    hasKey: options.signKey !== undefined,
    pushes: event.push,
    canIdentify: canIdentify(env),
    isPublic: serverOf(env) === GITHUB && event.repository?.isPrivate === false,
    releases: tags !== undefined && isRelease(tags),
  });
  const trust = planTrust({
    trust: options.trust,
    mode: plan.mode,
    // A stranger's run is not given the secrets that lead to the key.
    hasKey: options.signKey !== undefined && event.untrusted === undefined,
    identities: options.trustIdentity,
    issuer: options.trustIssuer,
    source,
  });
  return {
    mode: plan.mode,
    trust: trust.ok ? trust.value : { by: 'hash' },
    problems: [
      ...(plan.problem === undefined ? [] : [{ input: 'sign', message: plan.problem }]),
      ...(trust.ok ? [] : [{ input: 'trust', message: trust.problem }]),
    ],
    unsigned: plan.unsigned,
  };
}

/** Signatures of just anybody prove nothing. */
export function findVerifyProblems(
  { env }: Pick<Host, 'env'>,
  { trustIdentity, signKey }: Options,
  event: RunEvent,
): readonly Problem[] {
  if (trustIdentity.length > 0 || signKey !== undefined || sourceOf(env, event) !== undefined) return [];
  const message = 'is required where no workflow runs: whose signatures count? sign-key names a key instead';
  return [{ input: 'trust-identity', message }];
}

/** What certificates say of the runs of this workflow; `undefined` where none runs. */
export function sourceOf(env: Host['env'], { repository, git }: RunEvent): TrustSource | undefined {
  if (repository === undefined) return undefined;
  const server = serverOf(env);
  return {
    repository: repository.url,
    // Of the job itself: what it builds may be of another ref, and only the token decides.
    ref: env['GITHUB_REF'] || undefined,
    defaultBranch: git.defaultBranch,
    issuer: server === GITHUB ? GITHUB_ISSUER : `${server}/_services/token`,
  };
}

function serverOf(env: Host['env']): string {
  return (env['GITHUB_SERVER_URL'] || GITHUB).replace(/\/+$/, '');
}
