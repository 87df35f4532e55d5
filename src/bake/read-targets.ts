import { assemble, type Configuration } from '../core/bake/configuration.ts';
import { dockerfileTargets, type ListedDockerfile } from '../core/bake/dockerfile-targets.ts';
import { createFindings, type Finding, type Findings } from '../core/bake/findings.ts';
import { type ImageInputs, imageInputs, otherOutput } from '../core/bake/image-inputs.ts';
import { type ResolvedTarget, resolveTargets } from '../core/bake/resolve.ts';
import { cleanPath } from '../core/clean-path.ts';
import { quote } from '../core/printable.ts';
import { isRemoteSource } from '../core/remote-source.ts';
import type { Problem } from '../errors.ts';
import type { Host } from '../host.ts';
import { refusals, refusedLinks } from './access.ts';
import { findComposeReads } from './compose-reads.ts';
import { findDockerfiles, isGlob } from './find-dockerfiles.ts';
import type { ImageTarget } from './image-target.ts';
import { printTargets } from './print-targets.ts';
import { ENV_FILE, fromEnvironment, kindOfFile, readFiles } from './read-files.ts';

export interface TargetsRequest {
  /** Bake files, compose files, Dockerfiles and globs of Dockerfiles; none for the files that bake takes by default. */
  readonly files: readonly string[];
  /** Names of targets and groups, and patterns of them; none for bake's `default`, else all, and for all Dockerfiles. */
  readonly targets: readonly string[];
  /** The input `allow`. */
  readonly allow: readonly string[];
}

export interface TargetsReading {
  /** Each behind all that it is built on, else by name. */
  readonly targets: readonly ImageTarget[];
  /** Every problem at once; then the targets are not for use. */
  readonly problems: readonly Problem[];
  /** Sentences for the log. */
  readonly notices: readonly string[];
}

/** In the order of buildx 0.29; the later ones add to the earlier. */
const DEFAULT_FILES: readonly string[] = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yml',
  'docker-compose.yaml',
  'docker-bake.json',
  'docker-bake.hcl',
  'docker-bake.override.json',
  'docker-bake.override.hcl',
];
const DEFAULT = 'default';
/** In no name of a target; buildx would take such a text for the address of bake files. */
const FOREIGN = /[/:@\\]|\.git$/;

/**
 * The images that a run is about. Bake files in JSON and compose files are read here; where one says more than is certain,
 * buildx reads all of them in one call. Errors as of `printTargets`.
 */
export async function readTargets(request: TargetsRequest, host: Host): Promise<TargetsReading> {
  const problems: Problem[] = [];
  const files = chooseFiles(request.files, host, problems);
  const listed = dockerfileTargets(files.dockerfiles, workspaceName(host));
  const own = [...files.bakeFiles, ...(files.bakeFiles.some(isCompose) ? [ENV_FILE] : [])];
  const refused = refusedLinks(own, request.allow, host);
  for (const message of [...listed.problems, ...refused]) problems.push({ input: 'files', message });
  if (problems.length > 0) {
    const findings = createFindings();
    if (refused.length === 0) readFiles(host, files.bakeFiles, findings);
    return { targets: [], problems: [...problems, ...findings.certain.map(asProblem)], notices: [] };
  }
  const names = listed.targets.map(({ name }) => name);
  const asked = request.targets.filter((name) => !names.includes(name));
  for (const name of asked.filter((one) => FOREIGN.test(one)))
    problems.push({ input: 'targets', message: `${quote(name)} cannot be the name of a target` });
  if (problems.length > 0) return { targets: [], problems, notices: [] };
  const isAsked = request.targets.length === 0 || asked.length > 0;
  const { configuration, wanted, findings } = await readBakeFiles(
    { files: files.bakeFiles, targets: asked, isAsked, allow: request.allow },
    host,
  );
  for (const { name, file } of listed.targets) {
    const other = configuration.targets.get(name) ?? configuration.groups.get(name);
    if (other === undefined) continue;
    const both = `of a Dockerfile of ${quote(file)} and of a target of ${quote(other.file)}`;
    problems.push({ input: 'files', message: `${quote(name)} is the name ${both}` });
  }
  const { targets: all } = assemble([...configuration.targets.values(), ...listed.targets], []);
  const chosen = request.targets.length === 0 ? names : names.filter((name) => request.targets.includes(name));
  const resolution = resolveTargets({ ...configuration, targets: all }, [...wanted, ...chosen]);
  for (const finding of [...findings.problems, ...resolution.findings]) problems.push(asProblem(finding));
  // A file that was not read has none of its names.
  if (findings.problems.length === 0) {
    for (const message of resolution.unknown) problems.push({ input: 'targets', message });
  }
  const notices = findings.notices.map((finding) => asProblem(finding).message);
  return finish({ request, host, targets: resolution.targets, problems, notices });
}

interface BakeRequest {
  readonly files: readonly string[];
  /** Without the names of Dockerfiles. */
  readonly targets: readonly string[];
  /** `false` when only Dockerfiles are. */
  readonly isAsked: boolean;
  readonly allow: readonly string[];
}

interface BakeReading {
  readonly configuration: Configuration;
  /** Names and patterns in it. */
  readonly wanted: readonly string[];
  readonly findings: Pick<Findings, 'problems' | 'notices'>;
}

async function readBakeFiles({ files, targets, isAsked, allow }: BakeRequest, host: Host): Promise<BakeReading> {
  const findings = createFindings();
  const own = readFiles(host, files, findings);
  // What is wrong for certain is not asked again.
  const needsBuildx = findings.beyond.length > 0 && isAsked && findings.certain.length === 0;
  if (!needsBuildx) {
    const wanted = targets.length > 0 || !isAsked ? targets : byDefault(own);
    const isRead = findings.beyond.length === 0;
    return { configuration: own, wanted, findings: isRead ? findings : { problems: findings.certain, notices: [] } };
  }
  const printed = createFindings();
  for (const { file, message } of findComposeReads(files.filter(isCompose), { allow, host, findings: printed }))
    printed.in(file).certain(undefined, message);
  if (printed.certain.length > 0) return { configuration: assemble([], []), wanted: [], findings: printed };
  const configuration = await printTargets(host, { files, targets, reason: reasonOf(findings) }, printed);
  return { configuration, wanted: byDefault(configuration), findings: printed };
}

interface Rest {
  readonly request: TargetsRequest;
  readonly host: Host;
  readonly targets: readonly ResolvedTarget[];
  readonly problems: Problem[];
  readonly notices: string[];
}

/** Turns targets into inputs and checks what they reach for. */
function finish({ request, host, targets, problems, notices }: Rest): TargetsReading {
  const images: ImageTarget[] = [];
  const needed = new Set(targets.flatMap(({ links }) => [...links.values()]));
  for (const target of targets) {
    const { name, file, line, links } = target;
    const place = `${quote(file)}${line === undefined ? '' : ` line ${line}`}: target ${quote(name)}`;
    const other = target.isRequested ? otherOutput(target) : undefined;
    const isNamed = request.targets.some((given) => given.replaceAll('.', '_') === name);
    if (other !== undefined && isNamed)
      problems.push({ input: 'targets', message: `${place} makes no image: ${other}` });
    else if (other !== undefined) notices.push(`${place} is left out, since it makes no image: ${other}`);
    if (other !== undefined && !needed.has(name)) continue;
    const image = imageInputs(target, (name) => fromEnvironment(host, name));
    const entitlements = target.attributes.lists.get('entitlements') ?? [];
    const refused = refusals({ ...image, entitlements }, request.allow, host);
    for (const message of [...image.problems, ...refused])
      problems.push({ input: 'files', message: `${place}: ${message}` });
    const inputs = problems.length === 0 ? withDockerfile(image, host) : image.inputs;
    images.push({ name, source: file, inputs, links, isRequested: target.isRequested && other === undefined });
  }
  return { targets: images, problems, notices };
}

/** The Dockerfile that a target brings along goes into a directory of its own, so that the context's ignore file counts. */
function withDockerfile({ inputs, inlineDockerfile }: ImageInputs, { files }: Host): ImageInputs['inputs'] {
  if (inlineDockerfile === undefined) return inputs;
  const file = files.path.join(files.makeTemporaryDirectory('build-once-dockerfile-'), 'Dockerfile');
  files.write(file, inlineDockerfile);
  return { ...inputs, file };
}

/** What bake builds when no name is given; where there is no such target, all. */
function byDefault({ groups, targets }: Configuration): readonly string[] {
  return groups.has(DEFAULT) || targets.has(DEFAULT) ? [DEFAULT] : [...targets.keys()];
}

function asProblem({ file, line, message }: Finding): Problem {
  return { input: 'files', message: `${quote(file)}${line === undefined ? '' : ` line ${line}`}: ${message}` };
}

function reasonOf({ beyond }: Findings): string {
  const [first] = beyond;
  return first === undefined
    ? 'it'
    : `${first.message} (${quote(first.file)}${first.line === undefined ? '' : ` line ${first.line}`})`;
}

function isCompose(file: string): boolean {
  return kindOfFile(file) === 'compose';
}

interface ChosenFiles {
  readonly bakeFiles: readonly string[];
  readonly dockerfiles: readonly ListedDockerfile[];
}

function chooseFiles(lines: readonly string[], { files }: Host, problems: Problem[]): ChosenFiles {
  if (lines.length === 0) {
    const bakeFiles = DEFAULT_FILES.filter((file) => files.kindOf(file) !== undefined);
    if (bakeFiles.length === 0) {
      problems.push({
        input: 'files',
        message: `is empty, and there is none of ${DEFAULT_FILES.join(', ')} in the workspace; is the repository checked out?`,
      });
    }
    return { bakeFiles, dockerfiles: [] };
  }
  const bakeFiles: string[] = [];
  const dockerfiles = new Map<string, ListedDockerfile>();
  for (const line of lines) {
    if (line === '-' || isRemoteSource(line) || line.startsWith('cwd://')) {
      problems.push({
        input: 'files',
        message: `${quote(line)} is no file of the workspace: paths and globs are allowed`,
      });
    } else if (isGlob(line)) {
      const found = findDockerfiles(files, line);
      if (!found.ok) problems.push({ input: 'files', message: found.problem });
      for (const path of found.ok ? found.value : [])
        if (!dockerfiles.has(path)) dockerfiles.set(path, { path, source: line });
    } else if (kindOfFile(line) !== 'dockerfile') {
      bakeFiles.push(line);
    } else {
      const path = cleanPath(line);
      const problem = whyNoDockerfile(files.kindOf(line));
      if (problem !== undefined) problems.push({ input: 'files', message: `${quote(line)} ${problem}` });
      else dockerfiles.set(path, { path, source: line });
    }
  }
  return { bakeFiles: [...new Set(bakeFiles)], dockerfiles: [...dockerfiles.values()] };
}

function whyNoDockerfile(kind: ReturnType<Host['files']['kindOf']>): string | undefined {
  if (kind === undefined) return 'is not there; is the repository checked out?';
  return kind === 'directory' ? 'is a directory: name its Dockerfile' : undefined;
}

/** The name of the image whose Dockerfile is at the top: that of the GitHub repository, else of the directory. */
function workspaceName({ env, cwd, files }: Host): string {
  const repository = env['GITHUB_REPOSITORY']?.split('/').at(-1) ?? '';
  return (repository || files.path.basename(cwd)).toLowerCase();
}
