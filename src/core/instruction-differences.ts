import { compareText, type Difference } from './difference.ts';
import type { InputManifest, TargetInput } from './input-manifest.ts';
import { parseJson } from './json.ts';
import { compareLines, type Hunk } from './line-differences.ts';

type Pair = readonly [before: string | undefined, after: string | undefined];

/**
 * In what the instructions of two manifests of one form differ, platform by platform, what all have once; platforms that one
 * of them lacks are left out. An ARG, which has its value, is a build arg.
 */
export function compareInstructions(before: InputManifest, after: InputManifest): readonly Difference[] {
  if (after.form === 'context') return compareDockerfiles(before.dockerfile, after.dockerfile);
  const theirs = byPlatform(before);
  const ours = byPlatform(after);
  const both = [...ours.keys()].filter((platform) => theirs.has(platform));
  if (both.length === 0) {
    const [old] = theirs.values();
    const [next] = ours.values();
    return old === undefined || next === undefined ? [] : compareTargets(old, next);
  }
  const found = both.map((platform) => ({
    platform,
    differences: compareTargets(theirs.get(platform) ?? [], ours.get(platform) ?? []),
  }));
  return joined(found);
}

function byPlatform({ targets }: InputManifest): ReadonlyMap<string, TargetInput['instructions']> {
  return new Map(targets.map(({ platform, instructions }) => [platform, instructions]));
}

function compareDockerfiles(
  before: InputManifest['dockerfile'],
  after: InputManifest['dockerfile'],
): readonly Difference[] {
  if (!('raw' in before) && !('raw' in after)) return compareTargets(before, after);
  const shown = (text: typeof before): string => ('raw' in text ? text.raw : 'instructions');
  return compareText({ subject: 'instruction', name: 'Dockerfile' }, shown(before), shown(after));
}

function compareTargets(before: readonly string[], after: readonly string[]): readonly Difference[] {
  return compareLines(before, after).flatMap(pairs).flatMap(describe);
}

/** Of one place, the instructions of one kind belong together in their order; of args, those of one name. */
function pairs({ removed, added }: Hunk): readonly Pair[] {
  const waiting = new Map<string, string[]>();
  for (const line of [...added].reverse()) {
    const lines = waiting.get(kindOf(line)) ?? [];
    lines.push(line);
    waiting.set(kindOf(line), lines);
  }
  const changed = removed.map((line): Pair => [line, waiting.get(kindOf(line))?.pop()]);
  const left = [...waiting.values()].flatMap((lines) => lines.reverse());
  return [...changed, ...left.map((line): Pair => [undefined, line])];
}

function kindOf(line: string): string {
  const arg = readArg(line);
  return arg === undefined ? (line.split(' ', 1)[0] ?? '') : `ARG ${arg.name}`;
}

function describe([before, after]: Pair): readonly Difference[] {
  const [old, next] = [readArg(before), readArg(after)];
  const name = next?.name ?? old?.name;
  if (name === undefined) return compareText({ subject: 'instruction', name: after ?? before ?? '' }, before, after);
  const kind = old === undefined ? 'added' : next === undefined ? 'removed' : 'changed';
  return [
    {
      subject: 'arg',
      kind,
      name,
      ...(old?.value === undefined ? {} : { before: old.value }),
      ...(next?.value === undefined ? {} : { after: next.value }),
    },
  ];
}

/** An ARG of one variable, in canonical form. */
function readArg(line = ''): { readonly name: string; readonly value: string | undefined } | undefined {
  const [, written = ''] = /^ARG ([\s\S]+)$/.exec(line) ?? [];
  const word = written.startsWith('"') ? parseJson(written) : /\s/.test(written) ? undefined : written;
  if (typeof word !== 'string' || word === '') return undefined;
  const end = word.indexOf('=');
  return end < 0 ? { name: word, value: undefined } : { name: word.slice(0, end), value: word.slice(end + 1) };
}

/** What every platform has, once; the rest with the platforms that have it. */
function joined(
  found: readonly { readonly platform: string; readonly differences: readonly Difference[] }[],
): readonly Difference[] {
  const all = new Map<string, { readonly difference: Difference; readonly platforms: string[] }>();
  for (const { platform, differences } of found) {
    const seen = new Map<string, number>();
    for (const difference of differences) {
      const text = JSON.stringify(difference);
      const time = (seen.get(text) ?? 0) + 1;
      seen.set(text, time);
      const key = `${time} ${text}`;
      const known = all.get(key) ?? { difference, platforms: [] };
      known.platforms.push(platform);
      all.set(key, known);
    }
  }
  return [...all.values()].map(({ difference, platforms }) =>
    platforms.length === found.length ? difference : { ...difference, where: platforms.join(', ') },
  );
}
