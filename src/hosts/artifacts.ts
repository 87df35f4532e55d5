import { parseJson, textAt, valueAt } from '../core/json.ts';

/** An image that a step says it made, in the words of GITHUB_ARTIFACTS. */
export interface ArtifactSubject {
  /** The repository without a tag. */
  readonly name: string;
  readonly digest: string;
}

/** What may be written to GITHUB_ARTIFACTS, and why the rest may not. */
export interface ArtifactLines {
  readonly text: string;
  /** Sentences for a person. */
  readonly left: readonly string[];
}

/** Of a job, and of a step's file; one more fails the step. */
const MAX_SUBJECTS = 500;
const MAX_BYTES = 1024 * 1024;

/**
 * The lines of GITHUB_ARTIFACTS for these subjects. `list` is what earlier steps of the job declared: the content of
 * GITHUB_ARTIFACTS_LIST. Whatever would fail the step is left out: a name that stands for another digest already, more than
 * 500 subjects in a job, more than 1 MiB, a list that is not understood. Rules: actions/runner, pull request 4527,
 * CreateArtifactsFileCommand.cs and ArtifactsListFileCommand.cs. Pure.
 */
export function artifactLines(subjects: readonly ArtifactSubject[], list: string | undefined): ArtifactLines {
  const declared = readList(list);
  if (declared === undefined) return { text: '', left: ['GITHUB_ARTIFACTS_LIST is not understood'] };
  const left: string[] = [];
  let text = '';
  for (const { name, digest } of subjects) {
    const line = `oci://${name}@${digest}\n`;
    const earlier = declared.get(name);
    if (earlier === digest) continue;
    if (earlier !== undefined) left.push(`an earlier step of this job declared ${name} as ${earlier}`);
    else if (line.includes('=')) left.push(`a name with "=" is not allowed: ${name}`);
    else if (declared.size >= MAX_SUBJECTS) left.push(`a job may declare ${MAX_SUBJECTS} artifacts: not ${name}`);
    else if (text.length + line.length > MAX_BYTES) left.push(`a step may declare ${MAX_BYTES} bytes: not ${name}`);
    else {
      text += line;
      declared.set(name, digest);
    }
  }
  return { text, left };
}

/** Digests by name; the runner has one name for one digest, be it an image or a file. An empty list: the feature is off. */
function readList(list: string | undefined): Map<string, string> | undefined {
  if (list === undefined || list.trim() === '') return new Map();
  const json = parseJson(list);
  const subjects = valueAt(json, 'subjects');
  if (valueAt(json, 'version') !== 1 || !Array.isArray(subjects)) return undefined;
  return new Map(subjects.map((subject) => [textAt(subject, 'name') ?? '', textAt(subject, 'digest') ?? '']));
}
