import fs from 'node:fs';
import path from 'node:path';
import { type PrintRequest, printTargets } from '../../src/bake/print-targets.ts';
import { readFiles } from '../../src/bake/read-files.ts';
import type { Entry } from '../../src/core/bake/attributes.ts';
import { createFindings } from '../../src/core/bake/findings.ts';
import { imageInputs } from '../../src/core/bake/image-inputs.ts';
import { type ResolvedTarget, resolveTargets } from '../../src/core/bake/resolve.ts';
import { cleanPath } from '../../src/core/clean-path.ts';
import { isRemoteSource } from '../../src/core/remote-source.ts';
import type { Host } from '../../src/host.ts';
import type { BakeCase } from './bake-cases.ts';

export interface Comparison {
  /** We say that buildx is needed. */
  readonly isBeyond: boolean;
  /** What we read, as far as we do, and our problems. */
  readonly own: unknown;
  /** What bake prints, or its error. */
  readonly bake: unknown;
}

/**
 * Writes the files of a case and reads them by ourselves and with bake. Where a target is read several times, bake leaves
 * entries that stand twice in an order by chance: `isOrdered` is false there.
 */
export async function compareWithBake(
  host: Host,
  { files, targets = [] }: BakeCase,
  isOrdered = true,
): Promise<Comparison> {
  for (const [file, text] of Object.entries({
    ...files,
    key: '',
    '.env': 'A=1\nB=\'x y\'\nC="q"\nexport D=e\n# c\n\nE=a b # c\nF = inner\n',
  })) {
    const at = path.join(host.cwd, file);
    fs.mkdirSync(path.dirname(at), { recursive: true });
    fs.writeFileSync(at, text);
  }
  const names = Object.keys(files);
  const findings = createFindings();
  const configuration = readFiles(host, names, findings);
  const own = resolveTargets(configuration, targets.length > 0 ? targets : ['default']);
  const problems = [...findings.problems, ...own.findings].map(({ message }) => message);
  const bake = await printed(host, { files: names, targets, reason: 'a test' }, isOrdered);
  return {
    isBeyond: findings.beyond.length > 0,
    own:
      problems.length > 0 || own.unknown.length > 0
        ? { problems, unknown: own.unknown }
        : own.targets.map((target) => describe(target, isOrdered)),
    bake,
  };
}

async function printed(host: Host, request: PrintRequest, isOrdered: boolean): Promise<unknown> {
  try {
    const configuration = await printTargets(host, request, createFindings());
    const { targets: resolved, unknown } = resolveTargets(configuration, ['default']);
    return unknown.length > 0 ? { unknown } : resolved.map((target) => describe(target, isOrdered));
  } catch (error) {
    return { error: String(error) };
  }
}

/** The attributes as bake prints them, and the inputs that come of them. */
function describe(given: ResolvedTarget, isOrdered: boolean): unknown {
  const { texts, flags, lists, maps } = given.attributes;
  const entries = isOrdered
    ? given.attributes.entries
    : new Map([...given.attributes.entries].map(([key, list]) => [key, inOrder(list)]));
  const target = { ...given, attributes: { ...given.attributes, entries } };
  const { name, isRequested } = target;
  const described: Record<string, unknown> = { context: '.', dockerfile: 'Dockerfile' };
  for (const [key, text] of texts) if (text !== '' || key !== 'dockerfile') described[key] = text;
  for (const [key, on] of flags) described[key] = on;
  for (const [key, list] of lists) if (list.length > 0 && key !== 'inherits') described[key] = list;
  // Bake cleans it for the print, and has those of compose in any order.
  const context = texts.get('context') ?? '.';
  described['context'] = isRemoteSource(context) ? context : cleanPath(context.replace(/^cwd:\/\//, ''));
  if ((lists.get('ulimits') ?? []).length > 0) described['ulimits'] = [...(lists.get('ulimits') ?? [])].sort();
  for (const [key, map] of maps) if (map.size > 0) described[key] = sorted(map);
  for (const [key, list] of entries) if (list.length > 0) described[key] = list.map(sorted);
  // Bake gives those that are only linked an output of its own.
  if (!isRequested) delete described['output'];
  const { inputs, paths } = imageInputs(target, () => undefined);
  return { name, isRequested, ...sorted(new Map(Object.entries(described))), inputs, paths };
}

function sorted(map: ReadonlyMap<string, unknown> | Entry): Record<string, unknown> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function inOrder(list: readonly Entry[]): readonly Entry[] {
  const keyOf = (entry: Entry): string => JSON.stringify(sorted(entry));
  return [...list].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
