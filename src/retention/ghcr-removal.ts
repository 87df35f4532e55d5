import { textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import { isBuildOnceError } from '../errors.ts';
import type { GhcrPackage } from './ghcr-package.ts';
import type { GitHubAnswer } from './github-api.ts';
import type { Removal } from './store.ts';

/** What GitHub will never delete: the last one, the last one with a tag, one that was downloaded very often. */
const NEVER = /last (?:tagged )?version|more than [0-9,.]+ downloads/i;

/** Deletes one version; an answer that concerns nothing else is never thrown. */
export async function removeVersion(one: GhcrPackage, { id }: PlannedManifest): Promise<Removal> {
  const answer = await withoutFailure(() => one.request('DELETE', id));
  // It may be deleted although no answer came, and another one may come from a proxy with a page of its own.
  const isOwnAnswer = typeof answer !== 'string' && (answer.status < 200 || answer.status >= 400);
  if (typeof answer !== 'string' && answer.status === 204) return { outcome: 'deleted' };
  if (typeof answer === 'string' || !isOwnAnswer || answer.status === 404) return lookAfter(one, id, answer);
  const said = quote(textAt(answer.json, 'message') ?? '');
  const reason = `GitHub answered ${answer.status}: ${said}`;
  if (answer.status === 400) return { outcome: 'refused', reason, isFinal: NEVER.test(said) };
  const hint = answer.status === 401 || answer.status === 403 ? `. ${one.accessHint('delete')}` : '';
  return { outcome: 'refused', reason: `${reason}${hint}`, isFinal: false };
}

/** GitHub answers 404 also to those who may see a version and not delete it. */
async function lookAfter(one: GhcrPackage, id: string, answer: GitHubAnswer | string): Promise<Removal> {
  const found = await withoutFailure(() => one.version(id));
  if (found === undefined) return { outcome: 'gone' };
  if (typeof found === 'string') {
    const reason = `it is not known whether it was deleted: ${typeof answer === 'string' ? answer : found}`;
    return { outcome: 'refused', reason, isFinal: false };
  }
  if (typeof answer === 'string') return { outcome: 'refused', reason: answer, isFinal: false };
  const why = answer.status === 404 ? `: this token may not delete it. ${one.accessHint('delete')}` : '';
  const reason = `GitHub answered ${answer.status}, but the version is there${why}`;
  return { outcome: 'refused', reason, isFinal: false };
}

/** What went wrong as text, where it is about this one request. */
async function withoutFailure<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    const isOwn = isBuildOnceError(error) && OF_ONE_REQUEST.has(error.code);
    if (isOwn) return error.message;
    throw error;
  }
}

const OF_ONE_REQUEST = new Set(['GITHUB_UNAVAILABLE', 'GITHUB_REFUSED', 'UNEXPECTED_ANSWER']);
