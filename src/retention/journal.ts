import { type Digest, isDigest } from '../core/digest.ts';
import { valueAt } from '../core/json.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { quote } from '../core/printable.ts';
import { isTag } from '../core/reference.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import type { Files } from '../host.ts';
import type { ImageStore, Removal, SavedManifest } from './store.ts';

/** What is about to be done: the whole manifest goes, or one of its tags alone. */
export interface JournalledStep {
  /** The repository's name, as a person knows it. */
  readonly repository: string;
  readonly kind: ImageStore['kind'];
  readonly action: 'delete' | 'untag';
  /** Of `untag`, `tags` holds the tag that goes. */
  readonly manifest: PlannedManifest;
  readonly saved: SavedManifest | undefined;
}

/** A step of an earlier run. `undefined`: the run ended before it knew. */
export interface PastStep extends JournalledStep {
  readonly outcome: Removal['outcome'] | undefined;
}

/**
 * What a run deletes, written down before it does, so that `undo` can bring it back: one JSON object a line, `{ step }` before
 * each request and `{ done, outcome }` after it.
 */
export interface Journal {
  readonly path: string;
  /**
   * Writes the step down; the answer is told how it ended, and never throws. An error when it cannot be written, or anything
   * before it could not: what follows half a line could not be read.
   */
  begin(step: JournalledStep): (outcome: Removal['outcome']) => void;
}

/** The size at which a journal is no journal of ours: a manifest has 4 MiB at most, most have 2 kB. */
export const MAX_JOURNAL_BYTES = 512 * 1024 * 1024;
const MAX_LINE_LENGTH = 8 * 1024 * 1024;

/** Begins a journal; the file is made by the first step. */
export function openJournal(files: Pick<Files, 'append'>, path: string): Journal {
  let count = 0;
  let failure: { readonly error: unknown } | undefined;
  const write = (line: object): void => {
    if (failure !== undefined) return;
    try {
      files.append(path, `${JSON.stringify(line)}\n`);
    } catch (error) {
      failure = { error };
    }
  };
  return {
    path,
    begin(step) {
      count += 1;
      const number = count;
      write({ journal: 1, number, step });
      if (failure !== undefined) throw failure.error;
      return (outcome) => write({ done: number, outcome });
    },
  };
}

/** Reads a journal, whole or cut off in its last line as a run that was killed leaves it. A problem names the line. */
export function parseJournal(text: string): Parsed<readonly PastStep[]> {
  const steps = new Map<number, PastStep>();
  const lines = text.split('\n');
  const isCut = lines.pop() !== '';
  for (const [index, line] of lines.entries()) {
    const problem = readLine(line, steps);
    if (problem !== undefined) return unparsable(`line ${index + 1} ${problem}`);
  }
  if (steps.size === 0 && !isCut) return unparsable('it holds no step');
  return parsed([...steps.values()]);
}

function readLine(line: string, steps: Map<number, PastStep>): string | undefined {
  if (line.length > MAX_LINE_LENGTH) return `is longer than ${MAX_LINE_LENGTH} characters`;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return `is no JSON: ${quote(line.slice(0, 80))}`;
  }
  const done = valueAt(json, 'done');
  if (typeof done === 'number') {
    const step = steps.get(done);
    const outcome = valueAt(json, 'outcome');
    if (step === undefined) return `ends the step ${done}, which has not begun`;
    if (outcome !== 'deleted' && outcome !== 'gone' && outcome !== 'refused') return 'has an outcome that is not known';
    steps.set(done, { ...step, outcome });
    return undefined;
  }
  const number = valueAt(json, 'number');
  if (valueAt(json, 'journal') !== 1 || typeof number !== 'number') return 'is no step of a journal of build-once';
  const step = readStep(valueAt(json, 'step'));
  if (step === undefined) return 'is a step that makes no sense';
  steps.set(number, step);
  return undefined;
}

const KINDS: readonly ImageStore['kind'][] = ['ghcr', 'registry', 'docker-hub', 'engine'];

function readStep(json: unknown): PastStep | undefined {
  const kind = KINDS.find((known) => known === valueAt(json, 'kind'));
  const repository = valueAt(json, 'repository');
  const action = valueAt(json, 'action');
  const manifest = readManifest(valueAt(json, 'manifest'));
  if (kind === undefined || manifest === undefined || typeof repository !== 'string') return undefined;
  if (action !== 'delete' && action !== 'untag') return undefined;
  return { repository, kind, action, manifest, saved: readSaved(valueAt(json, 'saved')), outcome: undefined };
}

function readManifest(json: unknown): PlannedManifest | undefined {
  const id = valueAt(json, 'id');
  const digest: Digest | undefined = digestAt(valueAt(json, 'digest'));
  const tags = valueAt(json, 'tags');
  if (typeof id !== 'string' || digest === undefined || !Array.isArray(tags)) return undefined;
  const texts = tags.filter((tag): tag is string => typeof tag === 'string' && isTag(tag));
  return texts.length === tags.length ? { id, digest, tags: texts } : undefined;
}

function readSaved(json: unknown): SavedManifest | undefined {
  const mediaType = valueAt(json, 'mediaType');
  const content = valueAt(json, 'content');
  return typeof mediaType === 'string' && typeof content === 'string' ? { mediaType, content } : undefined;
}

function digestAt(value: unknown): Digest | undefined {
  return typeof value === 'string' && isDigest(value) ? value : undefined;
}
