import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseReference } from '../../src/core/reference.ts';
import { openRegistries } from '../../src/registry/open.ts';
import type { Login } from './planted-image.ts';
import type { ActionResult, ActionRun } from './runner.ts';

/** Digests by tag. */
export type TagTable = Readonly<Record<string, string>>;

/** What every tag of a repository is on, as a client sees it; nothing when there is no such repository. */
export async function readTags(image: string, login?: Login): Promise<TagTable> {
  const reference = parseReference(image);
  if (!reference.ok) throw new Error(reference.problem);
  const { repository: name } = reference.value;
  const registries = openRegistries({ env: {}, explicit: login && { registry: name.registry, ...login } });
  try {
    const repository = registries.open(name);
    const table: Record<string, string> = {};
    for await (const tag of repository.tags()) table[tag] = (await repository.resolve({ tag }))?.digest ?? 'unknown';
    return table;
  } finally {
    registries.close();
  }
}

/** A machine's places for what a run makes, to see what of it is still there. */
export interface Traces {
  /** For the run's `env` and `runnerTemp`. */
  readonly settings: Pick<ActionRun, 'runnerTemp'> & { readonly env: Readonly<Record<string, string>> };
  /** Temporary files, and builders by name. */
  left(): readonly string[];
  remove(): void;
}

/** `dockerConfig` is where the run's builders are written down. */
export function watchTraces(dockerConfig: string): Traces {
  const directory = mkdtempSync(join(tmpdir(), 'traces-'));
  const [temporary, runnerTemp] = [join(directory, 'tmp'), join(directory, 'runner')];
  for (const place of [temporary, runnerTemp]) mkdirSync(place);
  return {
    settings: { runnerTemp, env: { TMPDIR: temporary } },
    left: () => [temporary, runnerTemp, join(dockerConfig, 'buildx/instances')].flatMap(listed),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Everything that a run shows to people or to later steps. The mask itself is the runner's, and not shown. */
export function shownBy({ post, ...main }: ActionResult): string {
  const parts = [main, ...(post === undefined ? [] : [post])];
  return parts
    .flatMap(({ stdout, stderr, summary, outputs, state, env }) => [
      stdout.replace(/^::add-mask::.*$/gm, ''),
      stderr,
      summary,
      JSON.stringify([outputs, state, env]),
    ])
    .join('\n');
}
