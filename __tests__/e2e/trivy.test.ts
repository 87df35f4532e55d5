import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { textAt, valueAt } from '../../src/core/json.ts';
import { parseReference, type RepositoryName } from '../../src/core/reference.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import type { Command } from '../../src/host.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import { copyImage } from '../../src/registry/copy.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { openRegistries, type RegistriesSettings } from '../../src/registry/open.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { loadTrivy } from '../../src/tools/load.ts';
import type { ScanReport, ScanSettings, ScanTarget } from '../../src/tools/trivy.ts';
import type { DatabaseSettings } from '../../src/tools/trivy-database.ts';
import { pieceOf, pushImage } from '../registry/sample-image.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import {
  JAVA_DATABASE_LAYER,
  makeDatabase,
  openByName,
  packArchive,
  pushDatabase,
  vulnappAdvisories,
} from '../support/trivy-database.ts';

const toolchain = inject('toolchain');
const canScan = toolchain.layers.trivy && toolchain.layers.registry;
const { registry, authRegistry, tlsRegistry, vulnerableImage } = toolchain;
const DATABASE = `${registry}/db-${randomUUID()}`;
const TOKEN = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let commands: Command[];
let lines: string[];
beforeAll(async () => {
  if (!canScan) return;
  const { repository, close } = openByName(DATABASE);
  await pushDatabase(repository, await makeDatabase(toolchain.env, vulnappAdvisories()));
  close();
});
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'trivy-e2e-'));
  open();
});
afterEach(async () => {
  await host.finish();
  rmSync(directory, { recursive: true });
});

function open(env: Readonly<Record<string, string>> = {}): void {
  commands = [];
  lines = [];
  const real = createTerminalHost({
    cwd: directory,
    env: { ...toolchain.env, HOME: directory, BUILD_ONCE_DEBUG: 'true', ...env },
    write: (line) => void lines.push(line),
  });
  const exec: typeof real.exec = (command) => {
    commands.push(command);
    return real.exec(command);
  };
  host = { ...real, exec };
}

function parse(name: string): {
  readonly repository: RepositoryName;
  readonly tag: string | undefined;
  readonly digest: undefined;
} {
  const reference = parseReference(name);
  if (!reference.ok) throw new Error(reference.problem);
  return { repository: reference.value.repository, tag: reference.value.tag, digest: undefined };
}

const SETTINGS: ScanSettings = {
  scanners: ['vuln', 'secret'],
  pkgTypes: ['os', 'library'],
  skipDirs: [],
  skipFiles: [],
  ignoreFile: undefined,
  vex: [],
  timeoutMs: 120_000,
};

interface Scene {
  readonly settings?: Partial<ScanSettings>;
  readonly registries?: Partial<RegistriesSettings>;
  readonly javaRepository?: string;
}

/** What Trivy says of each target. */
async function scan(targets: readonly ScanTarget[], scene: Scene = {}): Promise<readonly unknown[]> {
  return (await scanReports(targets, scene)).map(({ json }) => json);
}

/** Everything from finding Trivy to its report, for each target at the same time. */
async function scanReports(targets: readonly ScanTarget[], scene: Scene = {}): Promise<readonly ScanReport[]> {
  const { findTrivy, needsDatabase, openScanAccess, NO_ACCESS, prepareDatabase, scanImage } = await loadTrivy();
  const given: RegistriesSettings = { env: host.env, ...scene.registries };
  const registries = openRegistries(given);
  try {
    const trivy = await findTrivy(host, { version: undefined, downloadUrl: undefined, transport: {} });
    const databases: DatabaseSettings = {
      repositories: [parse(DATABASE)],
      javaRepositories: scene.javaRepository === undefined ? [] : [parse(scene.javaRepository)],
      registries: { env: {} },
      cache: undefined,
    };
    const wanted = { ...SETTINGS, ...scene.settings };
    const database = needsDatabase(wanted) ? await prepareDatabase(host, databases) : undefined;
    const access = { registries, authorities: given.authorities, plainRegistries: given.plainRegistries ?? [] };
    return await Promise.all(
      targets.map(async (target) => {
        const own = target.kind === 'layout' ? NO_ACCESS : await openScanAccess(host, target.repository, access);
        const request = { target, settings: wanted, access: own };
        return scanImage(trivy, database, request);
      }),
    );
  } finally {
    registries.close();
  }
}

function listAt(json: unknown, key: string): readonly unknown[] {
  const value = valueAt(json, key);
  return Array.isArray(value) ? value : [];
}

/** `CVE-2024-5535 CRITICAL`, `github-pat CRITICAL`, sorted. */
function findingsOf(json: unknown): readonly string[] {
  return listAt(json, 'Results')
    .flatMap((result) => [...listAt(result, 'Vulnerabilities'), ...listAt(result, 'Secrets')])
    .map(
      (finding) =>
        `${String(valueAt(finding, 'VulnerabilityID') ?? valueAt(finding, 'RuleID'))} ${String(valueAt(finding, 'Severity'))}`,
    )
    .sort();
}

const hiddenOf = (json: unknown): readonly unknown[] =>
  listAt(json, 'Results').flatMap((result) =>
    listAt(result, 'ExperimentalModifiedFindings').map((finding) => valueAt(finding, 'Finding', 'VulnerabilityID')),
  );

const OF_AMD64 = ['CVE-2019-10744 CRITICAL', 'CVE-2023-42364 MEDIUM', 'CVE-2023-45853 HIGH'];
const OF_ARM64 = ['CVE-2019-10744 CRITICAL', 'CVE-2024-5535 CRITICAL'];

/** The manifests of vulnapp's platforms, amd64 first. */
async function platformsOf(repository: Repository, target: { tag: string }): Promise<readonly Descriptor[]> {
  const found = await fetchImage(repository, target);
  const members = found?.manifest.kind === 'index' ? found.manifest.manifests : [];
  return [...members].sort((a, b) => (a.platform?.architecture ?? '').localeCompare(b.platform?.architecture ?? ''));
}

/** An image of one layer with these files. */
async function pushFiles(
  repository: Repository,
  files: Readonly<Record<string, string | Buffer>>,
  config: object = {},
): Promise<Descriptor> {
  const content = path.join(directory, `layer-${randomUUID()}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(content, name)), { recursive: true });
    writeFileSync(path.join(content, name), text);
  }
  const tar = execFileSync('tar', ['-C', content, '-cf', '-', '.'], { maxBuffer: 1 << 28 });
  const layer = pieceOf(tar, MEDIA_TYPES.ociLayer);
  const json = {
    os: 'linux',
    architecture: 'amd64',
    ...config,
    rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
  };
  const image = pieceOf(JSON.stringify(json), MEDIA_TYPES.ociConfig);
  const size = ({ descriptor: { mediaType, digest, sizeBytes } }: typeof layer) => ({
    mediaType,
    digest,
    size: sizeBytes,
  });
  const manifest = pieceOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: size(image),
      layers: [size(layer)],
    }),
    MEDIA_TYPES.ociManifest,
  );
  return pushImage(repository, { manifest, blobs: [image, layer] });
}

async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it was not refused', { cause: error });
  return { code: error.code, message: error.message };
}

describe.skipIf(!canScan || !toolchain.layers.docker)('real Trivy on the platforms of an image', () => {
  it('finds in a registry what each of them has, both at the same time', async () => {
    const { repository: name, tag = '' } = parse(vulnerableImage);
    const { repository, close } = openByName(vulnerableImage);
    const platforms = await platformsOf(repository, { tag });
    close();
    expect(platforms).toHaveLength(2);
    const reports = await scan(platforms.map(({ digest }) => ({ kind: 'registry', repository: name, digest })));
    expect(reports.map(findingsOf)).toEqual([OF_AMD64, OF_ARM64]);
    expect(reports.map((report) => valueAt(report, 'ArtifactType'))).toEqual(['container_image', 'container_image']);
  });

  it('finds the same in a layout', async () => {
    const { tag = '' } = parse(vulnerableImage);
    const { repository, close } = openByName(vulnerableImage);
    const registries = openRegistries({ env: {} });
    // A name that would say something to Trivy.
    const at = path.join(directory, 'lay out@x:1');
    const layout = await registries.openLayout(at);
    const found = await fetchImage(repository, { tag });
    if (found === undefined) throw new Error('vulnapp is not there');
    await copyImage(repository, layout, found.descriptor);
    const platforms = await platformsOf(repository, { tag });
    close();
    const reports = await scan(platforms.map((manifest) => ({ kind: 'layout', path: at, manifest })));
    expect(reports.map(findingsOf)).toEqual([OF_AMD64, OF_ARM64]);
  });
});

describe.skipIf(!canScan)('real Trivy', () => {
  const name = `${registry}/t/${randomUUID()}`;
  let repository: Repository;
  let close: () => void;
  beforeAll(() => {
    if (canScan) ({ repository, close } = openByName(name));
  });
  afterAll(() => close?.());

  const LODASH = { 'app/node_modules/lodash/package.json': '{"name":"lodash","version":"4.17.4"}' };
  const inRegistry = async (
    files: Readonly<Record<string, string | Buffer>>,
    config?: object,
  ): Promise<Extract<ScanTarget, { kind: 'registry' }>> => ({
    kind: 'registry',
    repository: parse(name).repository,
    digest: (await pushFiles(repository, files, config)).digest,
  });

  it('is the one on the PATH', async () => {
    const { findTrivy } = await loadTrivy();
    const finding = { version: '0.70.0', downloadUrl: undefined, transport: {} };
    expect(await findTrivy(host, finding)).toMatchObject({ program: 'trivy', version: '0.70.0' });
  });

  it('finds a secret in a file and in the configuration, and does not show it', async () => {
    const [report] = await scan([
      await inRegistry({ 'root/token': `token=${TOKEN}\n` }, { config: { Env: [`TOKEN=${TOKEN}`] } }),
    ]);
    expect(findingsOf(report)).toEqual(['github-pat CRITICAL', 'github-pat CRITICAL']);
    expect(lines.join('\n')).not.toContain(TOKEN);
  });

  it('makes CycloneDX of a report: all packages and what is wrong with them, and nothing of the environment', async () => {
    const musl = 'P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nL:MIT\n';
    const files = {
      ...LODASH,
      'app/node_modules/fine/package.json': '{"name":"fine","version":"1.0.0"}',
      'etc/alpine-release': '3.20.3\n',
      'etc/os-release': 'ID=alpine\nVERSION_ID=3.20.3\n',
      'lib/apk/db/installed': `${musl}\n`,
      'root/token': `token=${TOKEN}\n`,
    };
    const history = [{ created_by: `RUN curl -H ${TOKEN} https://a.example` }];
    const target = await inRegistry(files, { config: { Env: [`TOKEN=${TOKEN}`, 'PLAIN=hunter2'] }, history });
    const [report] = await scanReports([target], { settings: { scanners: ['vuln', 'secret', 'misconfig'] } });
    if (report === undefined) throw new Error('there is no report');
    const { convertReport, findTrivy } = await loadTrivy();
    const trivy = await findTrivy(host, { version: undefined, downloadUrl: undefined, transport: {} });
    await convertReport(trivy, report, 'cyclonedx', 'reports/app.cdx.json');
    const text = readFileSync(path.join(directory, 'reports/app.cdx.json'), 'utf8');
    const bom: unknown = JSON.parse(text);
    const packages = listAt(bom, 'components').flatMap((component) => textAt(component, 'purl') ?? []);
    expect(packages.toSorted()).toEqual([
      'pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=3.20.3',
      'pkg:npm/fine@1.0.0',
      'pkg:npm/lodash@4.17.4',
    ]);
    expect(listAt(bom, 'vulnerabilities').map((found) => valueAt(found, 'id'))).toEqual(['CVE-2019-10744']);
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain('hunter2');
    expect(lines.join('\n')).not.toContain(TOKEN);
  });

  it('finds secrets without any database', async () => {
    const target = await inRegistry({ 'root/token': `token=${TOKEN}\n`, ...LODASH });
    const [report] = await scan([target], { settings: { scanners: ['secret'] } });
    expect(findingsOf(report)).toEqual(['github-pat CRITICAL']);
    expect(lines.join('\n')).not.toContain('downloading');
  });

  it('finds a user who is root, without a download', async () => {
    const history = [{ created_by: 'COPY app /app # buildkit' }, { created_by: 'CMD ["sh"]', empty_layer: true }];
    const target = await inRegistry(LODASH, { config: { Cmd: ['sh'] }, history });
    const [report] = await scan([target], { settings: { scanners: ['misconfig'] } });
    const results = listAt(report, 'Results').flatMap((result) => listAt(result, 'Misconfigurations'));
    expect(results.map((result) => valueAt(result, 'ID'))).toContain('DS-0002');
  });

  it('hides what the ignore file names, and the report says so', async () => {
    const ignoreFile = path.join(directory, 'ignored');
    writeFileSync(ignoreFile, 'CVE-2019-10744\n');
    const [report] = await scan([await inRegistry(LODASH)], { settings: { ignoreFile } });
    expect(findingsOf(report)).toEqual([]);
    expect(hiddenOf(report)).toEqual(['CVE-2019-10744']);
  });

  it('takes an ignore file in YAML', async () => {
    const ignoreFile = path.join(directory, 'ignored.yaml');
    writeFileSync(ignoreFile, 'vulnerabilities:\n  - id: CVE-2019-10744\n');
    const [report] = await scan([await inRegistry(LODASH)], { settings: { ignoreFile } });
    expect(hiddenOf(report)).toEqual(['CVE-2019-10744']);
  });

  it('hides what VEX says is no problem', async () => {
    const file = path.join(directory, 'app.vex.json');
    const statement = {
      vulnerability: { name: 'CVE-2019-10744' },
      products: [{ '@id': 'pkg:npm/lodash@4.17.4' }],
      status: 'not_affected',
      justification: 'vulnerable_code_not_in_execute_path',
    };
    const head = {
      '@context': 'https://openvex.dev/ns/v0.2.0',
      '@id': 'https://example.test/vex',
      author: 'us',
      version: 1,
    };
    writeFileSync(file, JSON.stringify({ ...head, timestamp: '2026-11-21T00:00:00Z', statements: [statement] }));
    const [report] = await scan([await inRegistry(LODASH)], { settings: { vex: [file] } });
    expect(hiddenOf(report)).toEqual(['CVE-2019-10744']);
  });

  it('skips folders and kinds of packages', async () => {
    const target = await inRegistry(LODASH);
    for (const settings of [
      { skipDirs: ['/app'] },
      { skipFiles: ['/app/node_modules/lodash/package.json'] },
      { pkgTypes: ['os'] },
    ])
      expect(findingsOf((await scan([target], { settings }))[0])).toEqual([]);
  });

  it('heeds nothing that lies about: no configuration, no ignore file, no variable', async () => {
    open({ TRIVY_SEVERITY: 'LOW', TRIVY_SCANNERS: 'secret', TRIVY_FORMAT: 'table' });
    writeFileSync(path.join(directory, 'trivy.yaml'), 'severity:\n  - LOW\n');
    writeFileSync(path.join(directory, '.trivyignore'), 'CVE-2019-10744\n');
    writeFileSync(path.join(directory, '.trivyignore.yaml'), 'vulnerabilities:\n  - id: CVE-2019-10744\n');
    expect(findingsOf((await scan([await inRegistry(LODASH)]))[0])).toEqual(['CVE-2019-10744 CRITICAL']);
  });

  it('says which image is not there', async () => {
    const digest = pieceOf('nothing').descriptor.digest;
    const error = await refusal(scan([{ kind: 'registry', repository: parse(name).repository, digest }]));
    expect(error.code).toBe('SCAN_FAILED');
    expect(error.message).toMatch(new RegExp(`^${name}@${digest} could not be scanned: .*MANIFEST_UNKNOWN`));
  });

  it("fetches the database of Java's archives when there are some, once", async () => {
    const jar = readFileSync(await makeJar());
    const sha1 = createHash('sha1').update(jar).digest();
    const javaRepository = `${registry}/java-${randomUUID()}`;
    const java = openByName(javaRepository);
    await pushDatabase(java.repository, await makeJavaDatabase(sha1), { tag: '1', mediaType: JAVA_DATABASE_LAYER });
    java.close();
    const targets = [await inRegistry({ 'app/x.jar': jar }), await inRegistry({ 'app/y.jar': jar, ...LODASH })];
    const reports = await scan(targets, { javaRepository });
    const packages = reports.flatMap((report) =>
      listAt(report, 'Results').flatMap((result) => listAt(result, 'Packages').map((found) => valueAt(found, 'Name'))),
    );
    expect(packages.filter((found) => found === 'org.example:found')).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith("downloading the database of Java's archives"))).toHaveLength(1);
  });

  it('goes through the proxy of the run', async () => {
    const target = await inRegistry(LODASH);
    const proxied = 'registry.test:5000';
    const proxy = await startForwardProxy({
      routes: { [proxied]: registry },
      authorization: `Basic ${Buffer.from('kim:s3cret').toString('base64')}`,
    });
    onTestFinished(() => proxy.close());
    open({ ALL_PROXY: proxy.url.replace('//', '//kim:s3cret@') });
    const elsewhere = { ...target, repository: { ...parse(name).repository, registry: proxied } };
    const reports = await scan([elsewhere], { registries: { plainRegistries: [proxied] } });
    expect(findingsOf(reports[0])).toEqual(['CVE-2019-10744 CRITICAL']);
    expect(proxy.requests.length).toBeGreaterThan(0);
    expect(JSON.stringify(commands.map(({ argv }) => argv)) + lines.join('\n')).not.toContain('s3cret');
  });
});

describe.skipIf(!canScan)('a private registry', () => {
  const scanIn = async (
    registryHost: string,
    given: Partial<RegistriesSettings>,
    login: Partial<RegistriesSettings> = given,
  ) => {
    const registries = openRegistries({ env: {}, ...given });
    const name = { registry: registryHost, path: `t/${randomUUID()}` };
    try {
      const { digest } = await pushFiles(registries.open(name, 'push'), {
        'app/node_modules/lodash/package.json': '{"name":"lodash","version":"4.17.4"}',
      });
      const [report] = await scan([{ kind: 'registry', repository: name, digest }], { registries: login });
      return findingsOf(report);
    } finally {
      registries.close();
    }
  };
  const { username, password } = authRegistry;
  const explicit = { registry: authRegistry.host, username, password };

  it('is scanned with the credentials of the run, which are nowhere to be seen', async () => {
    expect(await scanIn(authRegistry.host, { explicit })).toEqual(['CVE-2019-10744 CRITICAL']);
    const seen = JSON.stringify(commands.map(({ argv }) => argv)) + lines.join('\n');
    const encoded = Buffer.from(`${username}:${password}`).toString('base64');
    for (const shown of [encoded, `${username}:${password}`, `"${password}"`]) expect(seen).not.toContain(shown);
  });

  it('is scanned with what a docker login left, which Trivy is not shown otherwise', async () => {
    const config = path.join(directory, 'config');
    mkdirSync(config);
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    const auths = { [authRegistry.host]: { auth }, 'elsewhere.test': { auth: 'ZWxzZTp3aGVyZQ==' } };
    writeFileSync(path.join(config, 'config.json'), JSON.stringify({ auths }));
    open({ DOCKER_CONFIG: config });
    expect(await scanIn(authRegistry.host, { explicit }, {})).toEqual(['CVE-2019-10744 CRITICAL']);
    const used = commands.find(({ argv }) => argv.includes('image'))?.env?.['DOCKER_CONFIG'] ?? '';
    expect(used).not.toBe(config);
    expect(readFileSync(path.join(used, 'config.json'), 'utf8')).not.toContain('elsewhere');
  });

  it('is not scanned without credentials, and the error says why', async () => {
    const error = await refusal(scanIn(authRegistry.host, { explicit }, {}));
    expect(error.code).toBe('SCAN_FAILED');
    expect(error.message).toMatch(/UNAUTHORIZED|401|authentication required/i);
  });

  it.skipIf(!toolchain.layers.tls)('with an authority of its own is scanned', async () => {
    const own = { registry: tlsRegistry.host, username: tlsRegistry.username, password: tlsRegistry.password };
    const authorities = readFileSync(tlsRegistry.certificate, 'utf8');
    expect(await scanIn(tlsRegistry.host, { explicit: own, authorities })).toEqual(['CVE-2019-10744 CRITICAL']);
    const error = await refusal(scanIn(tlsRegistry.host, { explicit: own, authorities }, { explicit: own }));
    expect(error.message).toMatch(/certificate|x509/);
  });
});

/** A jar says in its own name nothing of what it is. */
async function makeJar(): Promise<string> {
  const file = path.join(directory, 'x.jar');
  // An archive with one empty file, by hand: Java's tools are not here.
  const name = Buffer.from('a.class');
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(20, 4);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(20, 4);
  central.writeUInt16LE(20, 6);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length + name.length, 12);
  end.writeUInt32LE(local.length + name.length, 16);
  writeFileSync(file, Buffer.concat([local, name, central, name, end]));
  return file;
}

/** https://github.com/aquasecurity/trivy-java-db/blob/184bd7481d48/pkg/db/db.go */
function makeJavaDatabase(sha1: Uint8Array): Promise<Buffer> {
  return packArchive((at) => {
    const database = new DatabaseSync(path.join(at, 'trivy-java.db'));
    database.exec('CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)');
    database.exec('CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT)');
    database.exec("INSERT INTO artifacts VALUES (1, 'org.example', 'found')");
    database.prepare("INSERT INTO indices VALUES (1, '1.0', ?, 'jar')").run(sha1);
    database.close();
    const metadata = { Version: 1, UpdatedAt: '2026-11-20T00:00:00Z', NextUpdate: '2036-01-01T00:00:00Z' };
    writeFileSync(path.join(at, 'metadata.json'), JSON.stringify(metadata));
  });
}
