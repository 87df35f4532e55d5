/** What the input `sign` takes. */
export const SIGN_CHOICES = ['auto', 'keyless', 'key', 'none'] as const;
export type SignChoice = (typeof SIGN_CHOICES)[number];

/** Whether a job may ask for a token that says what it is: https://docs.github.com/en/actions/reference/security/oidc */
export function canIdentify(env: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(env['ACTIONS_ID_TOKEN_REQUEST_URL'] && env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']);
}

/** How this run signs. */
export type SignMode = 'keyless' | 'key' | 'none';

/** What the choice between them hangs on. */
export interface SignFacts {
  readonly sign: SignChoice;
  readonly hasKey: boolean;
  readonly pushes: boolean;
  /** The job may ask GitHub for a token that says what it is. */
  readonly canIdentify: boolean;
  /** It runs for a repository that everybody can see, on github.com. */
  readonly isPublic: boolean;
  /** A version is among the tags to set. */
  readonly releases: boolean;
}

export interface SignPlan {
  readonly mode: SignMode;
  /** Why the run cannot do what `sign` says. */
  readonly problem: string | undefined;
  /** What to say of an image that stays unsigned, and whether that is to be loud. */
  readonly unsigned: { readonly message: string; readonly isLoud: boolean } | undefined;
}

const PERMISSION = 'add id-token: write to the permissions of the job';

/**
 * How a run signs: what is asked for, or with `auto` the key where one is given, else keyless where what that publishes is public
 * already and the job may have a token.
 */
export function planSigning(facts: SignFacts): SignPlan {
  const { sign, hasKey, pushes, canIdentify } = facts;
  const plan = (mode: SignMode, problem?: string): SignPlan => ({
    mode: pushes ? mode : 'none',
    problem: pushes ? problem : undefined,
    unsigned: undefined,
  });
  if (sign === 'none') return plan('none');
  if (sign === 'key' || (sign === 'auto' && hasKey)) return plan('key', hasKey ? undefined : 'key needs sign-key');
  if (sign === 'keyless')
    return plan('keyless', canIdentify ? undefined : `keyless needs a token that says what this job is: ${PERMISSION}`);
  if (canIdentify && facts.isPublic) return plan('keyless');
  if (!pushes) return plan('none');
  return { ...plan('none'), unsigned: whyUnsigned(facts) };
}

function whyUnsigned({ canIdentify, isPublic, releases }: SignFacts): SignPlan['unsigned'] {
  const hint = isPublic
    ? `to sign, ${PERMISSION}`
    : 'sign: keyless signs in the public log, sign: key with a key of yours, sign: none says that it is to stay so';
  if (releases) return { message: `this version stays unsigned; ${hint}`, isLoud: true };
  return isPublic && !canIdentify ? { message: `the image stays unsigned; ${hint}`, isLoud: false } : undefined;
}
