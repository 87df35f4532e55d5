import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { run } from '../support/programs.ts';
import type { Workshop } from './workshop.ts';

/**
 * What a base image has as its shell here: whatever RUN says, it copies what is mounted to /observed, so that the image shows
 * what only a mount has read. The kernel's own mounts are left out.
 */
const OBSERVER = `#!/bin/busybox sh
set -e
while read -r _ _ _ _ target _; do
  case $target in / | /proc | /proc/* | /dev | /dev/* | /sys | /sys/* | /etc/*) continue ;; esac
  /bin/busybox mkdir -p "/observed\${target%/*}"
  /bin/busybox cp -a "$target" "/observed$target"
done </proc/self/mountinfo
`;

/** Empty directories that a container has got or the observer has made. */
const OWN_DIRECTORIES = /^\/(?:proc|dev|sys|etc|observed\/.*)$/;

/** A base image's configuration. */
export interface BaseImage {
  readonly Env?: readonly string[];
  readonly OnBuild?: readonly string[];
}

/** Pushes an image that stands in for any base, and shows what a build reads. `links` lead to its root. */
export async function pushObserver(
  workshop: Workshop,
  reference: string,
  { Env = [], OnBuild = [] }: BaseImage = {},
  links: readonly string[] = [],
): Promise<void> {
  const context = workshop.contextOf({
    Dockerfile: [
      `FROM ${workshop.baseImage} AS base`,
      'RUN mkdir /linked',
      ...links.map((link) => `RUN ln -s / /linked/${link}`),
      'FROM scratch',
      'COPY --from=base /bin/busybox /bin/busybox',
      'COPY --from=base /linked/ /',
      'COPY --chmod=755 observer /bin/sh',
      'COPY --chmod=755 observer /bin/ls',
      ...Env.map((pair) => `ENV ${pair}`),
      ...OnBuild.map((trigger) => `ONBUILD ${trigger}`),
    ].join('\n'),
    observer: OBSERVER,
  });
  const options = ['--builder=default', '--provenance=false', '--platform=linux/amd64,linux/arm64', '--push'];
  await workshop.docker('buildx', 'build', ...options, `--tag=${reference}`, context);
}

/** A source policy with these references in place of images of docker.io, the first that matches. */
export function standIns(references: Readonly<Record<string, string>>): string {
  const rules = Object.entries(references).map(([name, reference]) => ({
    action: 'CONVERT',
    selector: { identifier: `docker-image://docker.io/${name}`, matchType: 'WILDCARD' },
    updates: { identifier: `docker-image://${reference}` },
  }));
  return JSON.stringify({ version: 1, rules });
}

/** What is in an image: by path, `sha256` and `x` or `-` of a file, `@target` of a link, `/` of an empty directory. */
export type Content = ReadonlyMap<string, string>;

/** How a build ended: what the image holds, or what the builder said. */
export type Observed = { readonly content: Content } | { readonly refusal: string };

/** Builds with these arguments of `docker buildx build` and looks at the image. */
export async function buildAndLook(workshop: Workshop, policy: string, args: readonly string[]): Promise<Observed> {
  const directory = fs.mkdtempSync(path.join(workshop.directory, 'image-'));
  fs.writeFileSync(path.join(directory, 'policy.json'), policy);
  const env = { ...workshop.env, EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: path.join(directory, 'policy.json') };
  const root = path.join(directory, 'root');
  const options = ['--progress=plain', '--provenance=false', `--output=type=local,dest=${root}`];
  const { status, stderr } = await run(['docker', 'buildx', 'build', ...options, ...args], { env });
  return status === 0 ? { content: contentOf(root) } : { refusal: stderr };
}

/** What of an image can come from this context: the same bytes or the same link, and empty directories. */
export function contentFrom(context: string, image: Content): Content {
  const known = new Set(contentOf(context).values());
  const isOwn = ([at, leaf]: [string, string]) => (leaf === '/' ? !OWN_DIRECTORIES.test(at) : known.has(leaf));
  return new Map([...image].filter(isOwn));
}

function contentOf(root: string): Content {
  const leaves = namesBelow(root, '').map((name) => [`/${name}`, leafOf(path.join(root, name))] as const);
  return new Map(leaves.flatMap(([name, leaf]) => (leaf === undefined ? [] : [[name, leaf]])));
}

/** Node's own recursion follows links, and out of the image with them. */
function namesBelow(root: string, directory: string): readonly string[] {
  return fs.readdirSync(path.join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(directory, entry.name);
    return entry.isDirectory() ? [name, ...namesBelow(root, name)] : [name];
  });
}

/** `undefined` for a directory that holds something. */
function leafOf(file: string): string | undefined {
  const stat = fs.lstatSync(file);
  if (stat.isSymbolicLink()) return `@${fs.readlinkSync(file)}`;
  if (stat.isDirectory()) return fs.readdirSync(file).length === 0 ? '/' : undefined;
  const sha256 = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  return `${sha256}${(stat.mode & 0o100) === 0 ? '-' : 'x'}`;
}
