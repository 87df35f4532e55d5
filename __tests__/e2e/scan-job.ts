import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { findArtifact, readLayer } from '../../src/artifact.ts';
import { parseDigest } from '../../src/core/digest.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { type Job, openJob } from '../support/job.ts';
import { CHECKOUT, NODE_DIRECTORY, type ProgramResult, run, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';
import type { ActionResult, ActionRun } from '../support/runner.ts';
import type { AuthRegistry, Toolchain } from '../support/toolchain.ts';
import {
  type Advisories,
  makeDatabase,
  openByName,
  pushDatabase,
  vulnappAdvisories,
} from '../support/trivy-database.ts';

/** The files of tools/toolchain/vulnapp: arm64 has a CRITICAL, amd64 a HIGH that nobody mends, both an old lodash. */
export const VULNAPP: Readonly<Record<string, string>> = readFiles(path.join(TOOLCHAIN_SCRIPTS, 'vulnapp'));

/** The same without lodash: its only CRITICAL is in arm64. */
export const ONLY_ON_ARM64: Readonly<Record<string, string>> = {
  ...VULNAPP,
  Dockerfile: dockerfile([]),
};

/** vulnapp's Dockerfile with these instructions at its end, in place of lodash. */
export function dockerfile(instructions: readonly string[]): string {
  const lines = (VULNAPP['Dockerfile'] ?? '').trimEnd().split('\n');
  return [...lines.filter((line) => !line.startsWith('COPY modules')), ...instructions, ''].join('\n');
}

function readFiles(root: string): Readonly<Record<string, string>> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(path.join(root, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(path.join(root, name), 'utf8')]));
}

/** A package of Node.js in the workspace, for `COPY`. */
export function nodePackage(name: string, version: string): Readonly<Record<string, string>> {
  return { [`${name}/package.json`]: JSON.stringify({ name, version }) };
}

const NPM = 'npm::GitHub Security Advisory npm';

/** vulnapp's advisories, and a CRITICAL of each of these packages of Node.js, below the version that mends it. */
export function advisoriesWith(
  packages: Readonly<Record<string, { readonly id: string; readonly fixed: string }>>,
): Advisories {
  const known = vulnappAdvisories();
  const entries = Object.entries(packages);
  const advisories = entries.map(([name, { id, fixed }]) => [
    name,
    { [id]: { PatchedVersions: [fixed], VulnerableVersions: [`<${fixed}`] } },
  ]);
  const described = entries.map(([name, { id }]) => [id, { Title: `${name}: a sample`, Severity: 'CRITICAL' }]);
  return {
    ...known,
    advisories: { ...known.advisories, [NPM]: { ...known.advisories[NPM], ...Object.fromEntries(advisories) } },
    vulnerabilities: { ...known.vulnerabilities, ...Object.fromEntries(described) },
  };
}

/** Publishes a database; answers its repository, for `scan-db-repository`. */
export async function publishDatabase(toolchain: Toolchain, advisories: Advisories): Promise<string> {
  const name = `${toolchain.registry}/db-${randomUUID()}`;
  const { repository, close } = openByName(name);
  await pushDatabase(repository, await makeDatabase(toolchain.env, advisories));
  close();
  return name;
}

/** A job whose steps scan, and whose files stay to be looked at until it is removed. */
export interface ScanJob extends Job {
  readonly image: string;
  /** The inputs of every step. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The step with these inputs besides. */
  scan(inputs?: Readonly<Record<string, string>>, more?: Partial<ActionRun>): Promise<ActionResult>;
  cli(...args: readonly string[]): Promise<ProgramResult>;
}

export interface ScanJobSettings {
  readonly files?: Readonly<Record<string, string>>;
  readonly database: string;
  /** `host:port` of the registry; the plain one when absent. */
  readonly host?: string;
  readonly logins?: readonly AuthRegistry[];
  readonly inputs?: Readonly<Record<string, string>>;
}

export function openScanJob(toolchain: Toolchain, settings: ScanJobSettings): ScanJob {
  const { files = VULNAPP, database, host = toolchain.registry, logins = [] } = settings;
  const job = openJob(toolchain, files, logins);
  const image = `${host}/t/${randomUUID()}`;
  const inputs = {
    images: image,
    platforms: 'linux/amd64,linux/arm64',
    'build-args': `BASE=${toolchain.baseImage}`,
    scan: 'true',
    'scan-db-repository': database,
    ...settings.inputs,
  };
  const runnerTemp = path.join(job.directory, 'runner-temp');
  return {
    ...job,
    image,
    inputs,
    scan: (given = {}, more = {}) => job.step({ ...inputs, ...given }, { runnerTemp, ...more }),
    cli: (...args) =>
      run([path.join(NODE_DIRECTORY, 'node'), path.join(CHECKOUT, 'dist/cli.js'), ...args], {
        cwd: job.workspace,
        env: { ...job.env, TMPDIR: job.directory },
      }),
  };
}

/**
 * Makes a docker-container builder that reaches the registries of this machine, and answers its name. `authorities` are files
 * with what it trusts besides, by registry.
 */
export async function makeBuilder(job: Job, authorities: Readonly<Record<string, string>> = {}): Promise<string> {
  const name = `bo-${randomUUID()}`;
  const entries = Object.entries(authorities).map(([host, file]) => `[registry."${host}"]\n  ca = ["${file}"]\n`);
  job.write({ '../buildkitd.toml': entries.join('') });
  const config = `--buildkitd-config=${path.join(job.directory, 'buildkitd.toml')}`;
  const driver = ['--driver=docker-container', '--driver-opt=network=host', config, '--bootstrap'];
  await job.run('docker', 'buildx', 'create', `--name=${name}`, ...driver);
  return name;
}

/** The registry's own list of the tags, byte for byte. */
export async function tagList(image: string): Promise<string> {
  const [host = '', ...name] = image.split('/');
  return (await fetch(`http://${host}/v2/${name.join('/')}/tags/list`)).text();
}

/** What the registry answers when it is asked for this digest as a manifest: 200, 404 … */
export async function statusOf(image: string, digest: string): Promise<number> {
  const [host = '', ...name] = image.split('/');
  const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json';
  const url = `http://${host}/v2/${name.join('/')}/manifests/${digest}`;
  return (await fetch(url, { method: 'HEAD', headers: { accept } })).status;
}

/** A file of the report, whose folder is an output of the step. */
export function readReportText({ outputs }: ActionResult, file: string): string {
  return readFileSync(path.join(outputs['report'] ?? '', file), 'utf8');
}

export function readReport(result: ActionResult, file = 'scan.json'): unknown {
  return JSON.parse(readReportText(result, file));
}

/** What is behind a tag or digest of an image that is there. */
export async function descriptorOf(image: string, target: string): Promise<Descriptor> {
  const { repository, close } = openByName(image);
  try {
    const digest = parseDigest(target);
    const found = await repository.resolve(digest === undefined ? { tag: target } : { digest });
    if (found === undefined) throw new Error(`${image} has no ${target}`);
    return found;
  } finally {
    close();
  }
}

/** What was attached to an image, of a type or of all. */
export async function readAttached(
  image: string,
  target: string,
  type?: string,
): Promise<readonly { readonly text: string; readonly annotations: Readonly<Record<string, string>> }[]> {
  const subject = await descriptorOf(image, target);
  const { repository, close } = openByName(image);
  try {
    const attached = [];
    for await (const artifact of repository.referrers(subject, type)) {
      const found = await findArtifact(repository, artifact, subject.digest);
      if (!found.ok) throw new Error(found.problem);
      const { layer, annotations } = found.value;
      const content = await readLayer(repository, layer, { type: layer.mediaType, maxBytes: 1 << 24 });
      if (!content.ok) throw new Error(content.problem);
      attached.push({ text: Buffer.from(content.value).toString('utf8'), annotations });
    }
    return attached;
  } finally {
    close();
  }
}

/** The summary as a reader sees it. */
export function shown(markdown: string): string {
  return markdown.replace(/&#([0-9]+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

/** The scan's part of it. */
export function shownScan({ summary }: ActionResult): string {
  return shown(summary).replace(/^[^]*?(?=### Scan: )/, '');
}
