/**
 * True for a variable by which the runner hands an action what the job may do: to sign in its name, to write its caches
 * (`ACTIONS_ID_TOKEN_REQUEST_TOKEN`, `ACTIONS_RUNTIME_TOKEN`). Nobody has set it, so nobody knows that a file could ask for it.
 */
export function isJobToken(name: string): boolean {
  return /^ACTIONS_(?:.*_)?TOKEN$/i.test(name);
}
