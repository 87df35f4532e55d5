import { describe, expect, it } from 'vitest';
import type { BuildScope } from '../../src/core/build-scope.ts';
import { resolveUse, type UsedEntry } from '../../src/core/context-resolver.ts';
import { type ContextTree, contextTree } from '../../src/core/context-tree.ts';
import { parseDockerfile } from '../../src/core/dockerfile.ts';
import { compileIgnorePatterns, parseIgnoreFile, walkContext } from '../../src/core/dockerignore.ts';
import { formatPlatform, parsePlatform } from '../../src/core/platform.ts';
import { formatReference, parseReference } from '../../src/core/reference.ts';
import { readTarget, type TargetReads } from '../../src/core/target-reads.ts';
import type { Platform } from '../../src/oci/types.ts';
import vectors from '../vectors/context-files.json' with { type: 'json' };

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };

type Answer = TargetReads | { readonly problem: string; readonly line: number };

function read(text: string, changes: Partial<BuildScope> = {}): Answer {
  const parsed = parseDockerfile(text);
  if (!parsed.ok) return parsed;
  const scope = {
    buildArgs: new Map(),
    platforms: [AMD64],
    buildPlatform: AMD64,
    target: undefined,
    namedContexts: [],
    ...changes,
  };
  const [platform = AMD64] = scope.platforms;
  const reads = readTarget(parsed.value, scope, platform);
  return reads.ok ? reads.value : reads;
}

function reads(text: string, changes: Partial<BuildScope> = {}): TargetReads {
  const answer = read(text, changes);
  if ('problem' in answer) throw new Error(`line ${answer.line}: ${answer.problem}`);
  return answer;
}

/** The tree of these paths; a link is `[path, target]`, a directory ends in a slash. */
function treeOf(entries: readonly (string | readonly [string, string])[], ignore = ''): ContextTree {
  const links = new Map(entries.flatMap((entry) => (typeof entry === 'string' ? [] : [entry])));
  const kinds = new Map<string, Map<string, 'file' | 'directory' | 'symlink'>>([['', new Map()]]);
  for (const entry of entries) {
    const path = typeof entry === 'string' ? entry : entry[0];
    const names = path.split('/');
    for (const [depth, name] of names.entries()) {
      const parent = names.slice(0, depth).join('/');
      if (name === '') continue;
      const isLast = depth === names.length - 1;
      const own = [parent, name].filter((part) => part !== '').join('/');
      const kind = !isLast ? 'directory' : links.has(own) ? 'symlink' : 'file';
      if (kinds.get(parent)?.has(name) !== true) kinds.get(parent)?.set(name, kind);
      if (kind === 'directory' && !kinds.has(own)) kinds.set(own, new Map());
    }
  }
  const patterns = parseIgnoreFile(ignore);
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (!matcher.ok) throw new Error(matcher.problem);
  const list = (directory: string) => [...(kinds.get(directory) ?? [])].map(([name, kind]) => ({ name, kind }));
  const walked = walkContext({ matcher: matcher.value, list });
  if (!walked.ok) throw new Error(walked.problem);
  return contextTree(walked.value, (path) => links.get(path) ?? '');
}

interface Vector {
  readonly dockerfile: string;
  readonly files: readonly { readonly path: string; readonly type?: string; readonly link?: string }[];
  readonly ignore: string;
  readonly platform?: string;
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly images?: Readonly<
    Record<string, { readonly Env?: readonly string[]; readonly WorkingDir?: string; readonly OnBuild?: readonly string[] }>
  >;
}

function readVector({ dockerfile, platform = 'linux/amd64', target, buildArgs = {}, images = {} }: Vector): Answer {
  const wanted = parsePlatform(platform);
  const named = [...dockerfile.matchAll(/^\s*from\s+(?:--platform=\S+\s+)?(\S+)/gimu)].map(([, name = '']) => name);
  const configOf = (name: string) => Object.entries(images).find(([part]) => name.includes(part))?.[1];
  return read(dockerfile, {
    platforms: [wanted.ok ? wanted.value : AMD64],
    target,
    buildArgs: new Map(Object.entries(buildArgs)),
    triggers: new Map(named.map((name) => [name, configOf(name)?.OnBuild ?? []])),
    bases: new Map(
      named.map((name) => {
        const pairs = (configOf(name)?.Env ?? []).map((pair): [string, string] => {
          const equals = pair.indexOf('=');
          return [pair.slice(0, equals), pair.slice(equals + 1)];
        });
        return [name, { environment: new Map(pairs), directory: configOf(name)?.WorkingDir || '/' }];
      }),
    ),
  });
}

function treeOfVector({ files, ignore }: Vector): ContextTree {
  return treeOf(
    files.map(({ path, link }) => (link === undefined ? path : [path, link])),
    ignore,
  );
}

const pathsOf = (entries: readonly UsedEntry[], kind: UsedEntry['kind']) =>
  entries.filter((entry) => entry.kind === kind).map(({ path }) => path);

function sourceOf({ reference, platform }: TargetReads['images'][number]): string {
  const parsed = parseReference(reference);
  if (!parsed.ok) return reference;
  const { tag, digest } = parsed.value;
  const named = { ...parsed.value, tag: tag ?? (digest === undefined ? 'latest' : undefined) };
  return `docker-image://${formatReference(named)} ${formatPlatform(platform)}`;
}

describe('what a target reads, as BuildKit has it', () => {
  it.each(vectors.cases.filter((vector) => 'error' in vector))('$id is refused', (vector) => {
    expect(readVector(vector)).toMatchObject({ problem: expect.any(String) });
  });

  describe.each(vectors.cases.filter((vector) => !('error' in vector)))('$id', (vector) => {
    const answer = readVector(vector);
    const { uses, images, remotes, uncertain } = 'problem' in answer ? reads('FROM scratch') : answer;

    it('uses', () => {
      expect(answer).not.toHaveProperty('problem');
      expect(uncertain).toEqual([]);
      const seen = uses.map(({ op, source, include, exclude }) => ({
        op: op === 'bind' ? 'mount' : 'copy',
        src: source,
        ...(include === undefined ? {} : { include }),
        ...(exclude.length === 0 ? {} : { exclude }),
      }));
      expect(seen).toEqual(
        vector.uses?.map(
          ({ matched: _, missing: __, ...use }: object & Partial<Record<'matched' | 'missing', unknown>>) => use,
        ),
      );
    });

    it('files', () => {
      const tree = treeOfVector(vector);
      const used = new Set<string>();
      for (const [index, use] of uses.entries()) {
        const expected = vector.uses?.[index];
        const resolved = resolveUse(tree, use);
        expect(resolved.ok).toBe(!(expected !== undefined && 'missing' in expected));
        if (!resolved.ok) continue;
        const matched = expected?.matched ?? [];
        const files = matched.filter((entry) => !/^(?:symlink|emptydir):/.test(entry));
        expect(pathsOf(resolved.value, 'file').sort()).toEqual([...files].sort());
        const links = resolved.value
          .filter(({ kind }) => kind === 'symlink')
          .map(({ name, path }) => `${name}->${tree.readLink(path)}`);
        const expectedLinks = matched.filter((entry) => entry.startsWith('symlink:'));
        expect(links.length).toBe(expectedLinks.length);
        for (const link of links) expect(expectedLinks.some((entry) => entry.endsWith(`/${link}`))).toBe(true);
        for (const path of pathsOf(resolved.value, 'file')) used.add(path);
      }
      expect([...used].sort()).toEqual([...(vector.usedFiles ?? [])].sort());
    });

    it('sources', () => {
      const isImage = (source: string) => source.startsWith('docker-image:');
      expect([...new Set(images.map(sourceOf))].sort()).toEqual((vector.sources ?? []).filter(isImage).sort());
      expect(remotes).toHaveLength((vector.sources ?? []).filter((source) => !isImage(source)).length);
    });
  });
});
