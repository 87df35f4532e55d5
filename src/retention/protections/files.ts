import { pairsOf, parseDockerfile } from '../../core/dockerfile.ts';
import { toLine } from '../../core/printable.ts';
import { formatRepositoryName } from '../../core/reference.ts';
import { releaseTags } from '../../core/retention/git-names.ts';
import { imageValues, looseValues } from '../../core/retention/image-values.ts';
import type { Protection } from '../../core/retention/inventory.ts';
import { namedImages } from '../../core/retention/named-images.ts';
import { readYaml } from '../../core/retention/yaml-values.ts';
import type { Lookup } from '../../core/shell-words.ts';
import { someOf } from '../../core/some-of.ts';
import { whyUnreadable } from '../../regular-file.ts';
import { protectionOf, type SourceAnswer, type Surroundings } from './source.ts';
import { type CandidateFile, candidateFiles } from './workspace-files.ts';

const MAX_BYTES = 1 << 20;
/** So many places are named in a notice. */
const MAX_NAMED = 5;
const HINT = 'Check the repository out first (actions/checkout), and run where its files are.';

/** What was found so far. */
interface Findings {
  readonly protections: Protection[];
  /** Places whose tag is made of something that no file says. */
  readonly open: string[];
  readonly unread: string[];
  /** Fields of Helm's values that hold an image of the repository. */
  readonly fields: Set<string>;
}

/**
 * `@in-use(files)`: the images of the repository that its own files name: compose files, manifests of Kubernetes, Kustomize,
 * Helm's values, Terraform, Dockerfiles, workflows, development containers.
 */
export function findFileImages(surroundings: Surroundings): SourceAnswer {
  const { host, workspace } = surroundings;
  const candidates = candidateFiles(host.files, workspace);
  if (candidates.isEmpty)
    return { kind: 'absent', reason: `there are no files of the repository in ${toLine(workspace)}`, hint: HINT };
  if (candidates.isCut) {
    const hint = 'Name what must stay with protect or @file(PATH), and run in a part of the repository.';
    return { kind: 'unreadable', reason: 'the workspace has more files than are looked at', hint };
  }
  const unread = candidates.closed.map((path) => `${toLine(path)} is a directory that cannot be read`);
  const findings: Findings = { protections: [], open: [], unread, fields: new Set() };
  for (const file of candidates.files) readFile(file, surroundings, findings);
  if (findings.fields.size > 0) readLooseValues(candidates.files, surroundings, findings);
  return { kind: 'read', protections: findings.protections, notices: noticesOf(findings, surroundings) };
}

function readFile(file: CandidateFile, surroundings: Surroundings, findings: Findings): void {
  const text = textOf(file, surroundings, findings);
  const { repository } = surroundings;
  const [last = ''] = repository.path.split('/').slice(-1);
  if (!text?.toLowerCase().includes(last)) return;
  if (/\.json$/i.test(file.path) && !isKnownJson(file.path, text)) return;
  const place = toLine(file.path);
  const { images, openLines } = namedImages(text, repository, lookupFor(file, text, surroundings));
  const seen = new Set<string>();
  for (const image of images) {
    const key = `${image.tag ?? ''}@${image.digest ?? ''}`;
    if (!seen.has(key)) findings.protections.push(protectionOf(`${place}:${image.line}`, [image]));
    seen.add(key);
  }
  // Where images are built, most tags are made of what the run knows.
  if (!file.path.startsWith('.github/')) findings.open.push(...openLines.map((line) => `${place}:${line}`));
  if (file.kind !== 'yaml') return;
  const values = imageValues(readYaml(text), repository);
  for (const field of values.fields) findings.fields.add(field);
  const chart = values.takesAppVersion ? chartVersions(file, surroundings) : [];
  if (values.images.length > 0) findings.protections.push(protectionOf(place, [...values.images, ...chart]));
}

/** The files of values that set the tag of an image whose repository another one names. */
function readLooseValues(files: readonly CandidateFile[], surroundings: Surroundings, findings: Findings): void {
  for (const file of files.filter(({ kind }) => kind === 'yaml')) {
    const text = textOf(file, surroundings, undefined);
    if (text === undefined || !/\b(?:tag|digest)["']?\s*:/.test(text)) continue;
    const values = looseValues(readYaml(text), surroundings.repository);
    const images = values.filter(({ field }) => findings.fields.has(field));
    if (images.length > 0) findings.protections.push(protectionOf(toLine(file.path), images));
  }
}

/** With what a workflow says for its own repository put in. */
function textOf(
  { path }: CandidateFile,
  { host, workspace, githubRepository }: Surroundings,
  findings: Findings | undefined,
): string | undefined {
  try {
    const text = host.files.readRegular(host.files.path.join(workspace, path), MAX_BYTES);
    if (githubRepository === undefined || !text?.includes('${{')) return text;
    const name = githubRepository.toLowerCase();
    return text
      .replaceAll(/\$\{\{\s*github\.repository\s*\}\}/g, () => name)
      .replaceAll(/\$\{\{\s*github\.repository_owner\s*\}\}/g, () => name.split('/')[0] ?? '');
  } catch (error) {
    findings?.unread.push(`${toLine(path)} ${whyUnreadable(error)}`);
    return undefined;
  }
}

/** Plans and reports in JSON name images that are not in use. */
function isKnownJson(path: string, text: string): boolean {
  return (
    /(?:^|[./])devcontainer\.json$|\.(?:tf|tfvars)\.json$/i.test(path) ||
    ['"apiVersion"', '"kind"'].every((key) => text.includes(key))
  );
}

/** The defaults of a Dockerfile's arguments; for others the variables of `.env` beside, as docker compose takes them. */
function lookupFor({ path, kind }: CandidateFile, text: string, surroundings: Surroundings): Lookup {
  if (!text.includes('$')) return () => undefined;
  const variables = kind === 'dockerfile' ? argumentsOf(text) : environmentBeside(path, surroundings);
  return (name) => variables.get(name);
}

function argumentsOf(text: string): ReadonlyMap<string, string> {
  const dockerfile = parseDockerfile(text);
  if (!dockerfile.ok) return new Map();
  const { globalArgs, stages } = dockerfile.value;
  const instructions = [...globalArgs, ...stages.flatMap((stage) => stage.instructions)];
  const pairs = instructions.filter(({ name }) => name === 'ARG').flatMap((instruction) => pairsOf(instruction));
  const values = pairs.flatMap(({ name, value }) => (value === undefined ? [] : [[name, bare(value)] as const]));
  // Of several defaults the first one is that of all stages.
  return new Map(values.reverse());
}

function bare(value: string): string {
  return value.replaceAll(/["']/g, '');
}

function environmentBeside(path: string, { host, workspace }: Surroundings): ReadonlyMap<string, string> {
  const text = readBeside(path, '.env', { host, workspace }) ?? '';
  const lines = text.matchAll(/^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=["']?([^"'\s#]*)/gm);
  return new Map([...lines].map(([, name = '', value = '']) => [name, value]));
}

/** The version of the application in the chart whose values these are: the tag where none is set. */
function chartVersions(file: CandidateFile, surroundings: Surroundings) {
  const text = readBeside(file.path, 'Chart.yaml', surroundings) ?? '';
  const [, version] = /^appVersion:\s*["']?([^"'\s#]+)/m.exec(text) ?? [];
  return version === undefined ? [] : releaseTags(version, surroundings.tagPrefix).map((tag) => ({ tag }));
}

function readBeside(
  path: string,
  name: string,
  { host, workspace }: Pick<Surroundings, 'host' | 'workspace'>,
): string | undefined {
  try {
    return host.files.readRegular(host.files.path.join(workspace, path, '..', name), MAX_BYTES);
  } catch {
    return undefined;
  }
}

function noticesOf({ open, unread }: Findings, { repository }: Surroundings): readonly string[] {
  const name = formatRepositoryName(repository);
  return [
    ...(open.length === 0
      ? []
      : [`the files name ${name} with a tag that they do not say, which protects nothing: ${someOf(open, MAX_NAMED)}`]),
    ...(unread.length === 0 ? [] : [`not looked at for images in use: ${someOf(unread, MAX_NAMED)}`]),
  ];
}
