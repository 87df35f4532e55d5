import { parseDigest } from '../../core/digest.ts';
import { numberAt, parseJson, textAt, valueAt } from '../../core/json.ts';
import { toLine } from '../../core/printable.ts';
import { isTag } from '../../core/reference.ts';
import { commitTags, releaseTags } from '../../core/retention/git-names.ts';
import type { Protection } from '../../core/retention/inventory.ts';
import { imageOf, type NamedImage } from '../../core/retention/named-images.ts';
import { ask, type GitHubRepository, gitHubRepository, listAll } from './github-lists.ts';
import { failed } from './releases.ts';
import { protectionOf, type SourceAnswer, type Surroundings } from './source.ts';

/** After so many failed deployments to one environment, older ones are not looked at. */
const MAX_PER_ENVIRONMENT = 10;
/** Of one payload, which its writer is free to fill. */
const MAX_TEXTS = 1000;
const PERMISSION = 'deployments: read';

/**
 * `@in-use(deployments)`: for each environment what was deployed last with success, and what was tried since, by its ref, its
 * commit and the texts of its payload. An environment whose last deployment is inactive runs nothing.
 */
export async function findDeployments(surroundings: Surroundings): Promise<SourceAnswer> {
  const repository = gitHubRepository(surroundings.github, surroundings.githubRepository);
  if (repository === undefined) {
    const hint = 'Give the input github-token, and run where GITHUB_REPOSITORY is set, as in a workflow.';
    return { kind: 'absent', reason: 'GitHub cannot be asked for deployments here', hint };
  }
  const list = await listAll(repository, '/deployments');
  if (!list.ok) return failed('the deployments', list, PERMISSION);
  const protections: Protection[] = [];
  for (const [environment, deployments] of byEnvironment(list.entries)) {
    const live = await liveOnes(repository, deployments);
    if (!live.ok) return failed(`the deployments to ${toLine(environment)}`, live, PERMISSION);
    const images = live.entries.flatMap((deployment) => imagesOfDeployment(deployment, surroundings));
    protections.push(protectionOf(`deployment to ${toLine(environment)}`, images));
  }
  return { kind: 'read', protections, notices: [] };
}

/** In GitHub's order: the newest first. */
function byEnvironment(deployments: readonly unknown[]): ReadonlyMap<string, readonly unknown[]> {
  const environments = new Map<string, unknown[]>();
  for (const deployment of deployments) {
    const environment = textAt(deployment, 'environment') ?? '';
    environments.set(environment, [...(environments.get(environment) ?? []).slice(0, MAX_PER_ENVIRONMENT), deployment]);
  }
  return environments;
}

async function liveOnes(repository: GitHubRepository, deployments: readonly unknown[]) {
  const live: unknown[] = [];
  for (const deployment of deployments.slice(0, MAX_PER_ENVIRONMENT)) {
    const answer = await ask(repository, `/deployments/${numberAt(deployment, 'id') ?? 0}/statuses?per_page=1`);
    if (!answer.ok) return answer;
    const { json } = answer.answer;
    const state = textAt(Array.isArray(json) ? json[0] : undefined, 'state');
    if (state === 'inactive') break;
    live.push(deployment);
    if (state === 'success') break;
  }
  return { ok: true, entries: live } as const;
}

type Image = Omit<NamedImage, 'line'>;

function imagesOfDeployment(deployment: unknown, { repository, tagPrefix }: Surroundings): readonly Image[] {
  const tags = [
    ...commitTags(textAt(deployment, 'sha') ?? ''),
    ...releaseTags(textAt(deployment, 'ref') ?? '', tagPrefix),
  ];
  const texts = textsIn(valueAt(deployment, 'payload'));
  const named = texts.flatMap((text): readonly Image[] => {
    const digest = parseDigest(text);
    if (digest !== undefined) return [{ tag: undefined, digest }];
    if (isTag(text)) return [{ tag: text, digest }];
    const image = imageOf(text, repository);
    return image === undefined ? [] : [image];
  });
  return [...tags.map((tag) => ({ tag, digest: undefined })), ...named];
}

/** A payload is an object or a text, which may be one in JSON. */
function textsIn(payload: unknown): readonly string[] {
  const texts: string[] = [];
  const ahead: unknown[] = [payload];
  for (let next = ahead.pop(); next !== undefined && texts.length < MAX_TEXTS; next = ahead.pop()) {
    if (typeof next === 'string') {
      texts.push(next.trim());
      const json = /^\s*[[{"]/.test(next) ? parseJson(next) : undefined;
      if (json !== undefined) ahead.push(json);
    } else if (typeof next === 'object' && next !== null) {
      for (const value of Object.values(next)) if (value !== null && value !== undefined) ahead.push(value);
    }
  }
  return texts;
}
