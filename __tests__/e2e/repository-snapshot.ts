import { textAt, valueAt } from '../../src/core/json.ts';

/** A repository as anybody sees it, without our client. */
export interface Snapshot {
  /** Digest by tag. */
  readonly tags: Readonly<Record<string, string>>;
  /** The bytes of every manifest that tags lead to, by digest. */
  readonly manifests: Readonly<Record<string, string>>;
}

const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Follows every tag to its platforms and referrers; fails where one leads nowhere. */
export async function takeSnapshot(image: string): Promise<Snapshot> {
  const list: unknown = JSON.parse((await get(image, 'tags/list')) ?? '{}');
  const named: unknown = valueAt(list, 'tags');
  const tags: Record<string, string> = {};
  const manifests: Record<string, string> = {};
  const follow = async (digest: string, by: string): Promise<void> => {
    if (manifests[digest] !== undefined) return;
    const bytes = await get(image, `manifests/${digest}`);
    if (bytes === undefined) throw new Error(`${image}: ${by} needs ${digest}, which is not there`);
    manifests[digest] = bytes;
    for (const member of membersOf(bytes)) await follow(member, by);
    for (const referrer of membersOf((await get(image, `referrers/${digest}`)) ?? '{}')) await follow(referrer, by);
  };
  for (const tag of Array.isArray(named) ? named.map(String).sort() : []) {
    const answer = await ask(image, `manifests/${tag}`, 'HEAD');
    const digest = answer.headers.get('docker-content-digest') ?? '';
    tags[tag] = digest;
    await follow(digest, tag);
  }
  return { tags, manifests };
}

/** What is to be left of a repository when only the images with these tags stay: they, and what they and theirs need. */
export function partOf({ tags, manifests }: Snapshot, keptTags: readonly string[]): Snapshot {
  const kept: Record<string, string> = {};
  const left: Record<string, string> = {};
  const follow = (digest: string): void => {
    const bytes = manifests[digest];
    if (bytes === undefined || left[digest] !== undefined) return;
    left[digest] = bytes;
    for (const member of membersOf(bytes)) follow(member);
    for (const [other, content] of Object.entries(manifests)) {
      if (textAt(JSON.parse(content), 'subject', 'digest') === digest) follow(other);
    }
    for (const [tag, target] of Object.entries(tags)) {
      if (!new RegExp(`^${digest.replace(':', '-')}(?:\\.(?:sig|att|sbom))?$`).test(tag)) continue;
      kept[tag] = target;
      follow(target);
    }
  };
  for (const tag of keptTags) {
    const target = tags[tag];
    if (target === undefined) throw new Error(`${tag} was not there`);
    for (const [other, digest] of Object.entries(tags)) if (digest === target) kept[other] = digest;
    follow(target);
  }
  return { tags: kept, manifests: left };
}

/** 200, 404 … for a digest. */
export async function statusOfManifest(image: string, digest: string): Promise<number> {
  return (await ask(image, `manifests/${digest}`, 'HEAD')).status;
}

function membersOf(json: string): readonly string[] {
  const members: unknown = valueAt(JSON.parse(json), 'manifests');
  return Array.isArray(members) ? members.map((member: unknown) => textAt(member, 'digest') ?? '') : [];
}

async function get(image: string, resource: string): Promise<string | undefined> {
  const answer = await ask(image, resource, 'GET');
  return answer.ok ? answer.text() : undefined;
}

function ask(image: string, resource: string, method: string): Promise<Response> {
  const [host = '', ...name] = image.split('/');
  return fetch(`http://${host}/v2/${name.join('/')}/${resource}`, { method, headers: { accept: ACCEPT } });
}
