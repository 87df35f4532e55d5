/**
 * Writes __tests__/fixtures/trivy: what real Trivy says of small images made here, looked up in a small database made here.
 * Run it when the pinned Trivy changes, and read the difference: `node tools/trivy-fixtures.ts`, with trivy and mkdb of the
 * toolchain (docs/development.md) on the PATH.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

type Files = Readonly<Record<string, string>>;

interface Shape {
  /** What each layer adds. */
  readonly layers: readonly Files[];
  readonly architecture?: string;
  readonly config?: object;
  readonly history?: readonly object[];
  /** Arguments of `trivy image`. */
  readonly args?: readonly string[];
}

const FIXTURES = fileURLToPath(new URL('../__tests__/fixtures/trivy', import.meta.url));
/** Put together here, so that nobody's scanner takes this file for a leak; it is in no fixture. */
const TOKEN = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;
const STAND_IN = 'TOKEN-STOOD-HERE';

const OS_RELEASE = { 'etc/os-release': 'ID=alpine\nVERSION_ID=3.20.3\n', 'etc/alpine-release': '3.20.3\n' };

function apk(...packages: readonly (readonly [name: string, version: string])[]): Files {
  const entries = packages.map(([name, version]) => `P:${name}\nV:${version}\nA:x86_64\no:${name}\nL:MIT\n`);
  return { ...OS_RELEASE, 'lib/apk/db/installed': `${entries.join('\n')}\n` };
}

function node(name: string, version: string, license = 'MIT'): Files {
  return { [`app/node_modules/${name}/package.json`]: JSON.stringify({ name, version, license }) };
}

function python(name: string, version: string): Files {
  const metadata = `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\nLicense: MIT\n`;
  return { [`usr/lib/python3.12/site-packages/${name}-${version}.dist-info/METADATA`]: metadata };
}

const LANGUAGES = { ...node('lodash', '4.17.4'), ...node('minimist', '1.2.5'), ...python('requests', '2.19.0') };
const HISTORY = [
  { created_by: 'COPY app /app # buildkit' },
  { created_by: `ENV TOKEN=${TOKEN}`, empty_layer: true },
  { created_by: 'CMD ["sh"]', empty_layer: true },
];
const VEX = 'app.vex.json';
const IGNORED = 'ignored.yaml';

const SHAPES: Readonly<Record<string, Shape>> = {
  'os-amd64': { layers: [apk(['busybox', '1.36.1-r28'], ['musl', '1.2.5-r0'], ['zlib', '1.3.1-r1'])] },
  'os-arm64': {
    layers: [apk(['musl', '1.2.5-r0'], ['openssl', '3.3.0-r2'], ['zlib', '1.3.1-r1'])],
    architecture: 'arm64',
  },
  languages: { layers: [LANGUAGES] },
  // What was published before: of each the version before, and one package less.
  'languages-before': { layers: [{ ...node('lodash', '4.17.2'), ...python('requests', '2.18.4') }] },
  secrets: {
    layers: [OS_RELEASE, { 'app/.env': `# for the demo\nTOKEN=${TOKEN}\n` }],
    config: { Env: [`TOKEN=${TOKEN}`], Cmd: ['sh'] },
    // Trivy shows the instruction of a layer as it is.
    history: [{ created_by: 'COPY etc /etc # buildkit' }, { created_by: `RUN echo TOKEN=${TOKEN} >>/app/.env` }],
    args: ['--scanners=secret', '--image-config-scanners=secret'],
  },
  misconfigurations: {
    layers: [{ 'app/main.sh': 'exit 0\n' }],
    config: { Env: [`TOKEN=${TOKEN}`], Cmd: ['sh'] },
    history: HISTORY,
    args: ['--scanners=misconfig', '--image-config-scanners=misconfig'],
  },
  licenses: {
    layers: [{ ...node('lodash', '4.17.21'), ...node('viral', '1.0.0', 'AGPL-3.0') }],
    args: ['--scanners=license'],
  },
  clean: { layers: [{ ...apk(['musl', '1.2.5-r0']), ...node('lodash', '4.17.21') }] },
  empty: { layers: [{ 'app/main.sh': 'exit 0\n' }] },
  suppressed: { layers: [LANGUAGES], args: [`--ignorefile=${IGNORED}`, `--vex=${VEX}`] },
};

const lodash = { PatchedVersions: ['4.17.12'], VulnerableVersions: ['<4.17.12'] };
const requests = { PatchedVersions: ['2.20.0'], VulnerableVersions: ['<=2.19.1'] };
const minimist = { PatchedVersions: ['1.2.6'], VulnerableVersions: ['<1.2.6'] };
const ADVISORIES = {
  updatedAt: '2026-11-21T00:00:00Z',
  nextUpdate: '2036-01-01T00:00:00Z',
  sources: {
    'alpine 3.20': { ID: 'alpine', Name: 'Alpine Secdb', URL: 'https://secdb.alpinelinux.org/' },
    'npm::GitHub Security Advisory npm': {
      ID: 'ghsa',
      Name: 'GitHub Security Advisory npm',
      URL: 'https://github.com/advisories',
    },
    'pip::GitHub Security Advisory pip': {
      ID: 'ghsa',
      Name: 'GitHub Security Advisory pip',
      URL: 'https://github.com/advisories',
    },
  },
  advisories: {
    'alpine 3.20': {
      openssl: { 'CVE-2024-5535': { FixedVersion: '3.3.1-r1' } },
      busybox: { 'CVE-2023-42364': { FixedVersion: '1.36.1-r29' } },
      zlib: { 'CVE-2023-45853': {} },
    },
    'npm::GitHub Security Advisory npm': {
      lodash: { 'CVE-2019-10744': lodash },
      minimist: { 'CVE-2021-44906': minimist },
    },
    'pip::GitHub Security Advisory pip': { requests: { 'CVE-2018-18074': requests } },
  },
  vulnerabilities: {
    'CVE-2024-5535': {
      Title: 'openssl: SSL_select_next_proto buffer overread',
      Description: 'Calling SSL_select_next_proto with an empty list of protocols may read beyond the buffer.',
      Severity: 'CRITICAL',
      CVSS: { nvd: { V3Score: 9.1 } },
      VendorSeverity: { nvd: 4 },
      References: ['https://www.openssl.org/news/secadv/20240627.txt'],
    },
    'CVE-2023-42364': { Title: 'busybox: use-after-free', Severity: 'MEDIUM', CVSS: { nvd: { V3Score: 5.5 } } },
    'CVE-2023-45853': { Title: 'zlib: integer overflow in MiniZip', Severity: 'HIGH' },
    'CVE-2019-10744': { Title: 'nodejs-lodash: prototype pollution in defaultsDeep', Severity: 'CRITICAL' },
    'CVE-2021-44906': { Title: 'minimist: prototype pollution', Severity: 'CRITICAL', CVSS: { nvd: { V3Score: 9.8 } } },
    'CVE-2018-18074': {
      Title: 'requests: credentials are sent on after a redirect to http',
      Severity: 'HIGH',
      VendorSeverity: { ghsa: 3 },
      CVSS: { ghsa: { V3Score: 7.5 } },
    },
  },
};

const directory = mkdtempSync(path.join(tmpdir(), 'trivy-fixtures-'));
try {
  prepare();
  for (const [name, shape] of Object.entries(SHAPES)) writeFixture(name, scan(name, shape));
} finally {
  rmSync(directory, { recursive: true });
}

function prepare(): void {
  mkdirSync(path.join(directory, 'cache/db'), { recursive: true });
  execFileSync('mkdb', [path.join(directory, 'cache/db')], { input: JSON.stringify(ADVISORIES) });
  writeFileSync(path.join(directory, 'none'), '');
  writeFileSync(
    path.join(directory, IGNORED),
    'vulnerabilities:\n  - id: CVE-2021-44906\n    statement: only our own arguments are parsed\n',
  );
  const statement = {
    vulnerability: { name: 'CVE-2018-18074' },
    products: [{ '@id': 'pkg:pypi/requests@2.19.0' }],
    status: 'not_affected',
    justification: 'vulnerable_code_not_in_execute_path',
  };
  const head = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'https://example.test/vex',
    author: 'us',
    version: 1,
  };
  const vex = { ...head, timestamp: '2026-11-21T00:00:00Z', statements: [statement] };
  writeFileSync(path.join(directory, VEX), JSON.stringify(vex));
}

function scan(name: string, shape: Shape): unknown {
  writeLayout(path.join(directory, name), shape);
  const args = ['image', `--input=${name}`, '--cache-dir=cache', '--skip-db-update', '--skip-java-db-update'];
  args.push('--skip-check-update', '--skip-version-check', '--disable-telemetry', '--offline-scan', '--quiet');
  args.push('--config=none', '--format=json', '--list-all-pkgs', '--show-suppressed', '--output=report.json');
  const given = shape.args ?? [];
  if (!given.some((arg) => arg.startsWith('--ignorefile'))) args.push('--ignorefile=none');
  if (!given.some((arg) => arg.startsWith('--scanners'))) args.push('--scanners=vuln');
  execFileSync('trivy', [...args, ...given], { cwd: directory });
  return JSON.parse(readFileSync(path.join(directory, 'report.json'), 'utf8'));
}

/** Without what differs from run to run. */
function writeFixture(name: string, report: unknown): void {
  const text = JSON.stringify(report, undefined, 2)
    .replaceAll(TOKEN, STAND_IN)
    .replace(/"(ReportID|CreatedAt)": "[^"]+"/g, (_, key: string) =>
      key === 'ReportID' ? `"${key}": "00000000-0000-0000-0000-000000000000"` : `"${key}": "2026-11-21T00:00:00Z"`,
    );
  mkdirSync(FIXTURES, { recursive: true });
  writeFileSync(path.join(FIXTURES, `${name}.json`), `${text}\n`);
}

function writeLayout(layout: string, { layers, architecture = 'amd64', config = {}, history }: Shape): void {
  const put = (bytes: Uint8Array, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    mkdirSync(path.join(layout, 'blobs/sha256'), { recursive: true });
    writeFileSync(path.join(layout, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const type = (what: string): string => `application/vnd.oci.image.${what}`;
  const stored = layers.map((files) => put(packTar(files), type('layer.v1.tar')));
  const image = {
    os: 'linux',
    architecture,
    config,
    ...(history === undefined ? {} : { history }),
    rootfs: { type: 'layers', diff_ids: stored.map(({ digest }) => digest) },
  };
  const configuration = put(Buffer.from(JSON.stringify(image)), type('config.v1+json'));
  const manifest = { schemaVersion: 2, mediaType: type('manifest.v1+json'), config: configuration, layers: stored };
  const descriptor = put(Buffer.from(JSON.stringify(manifest)), manifest.mediaType);
  writeFileSync(path.join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(path.join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
}

/** The same bytes whenever it is made, so that the layers' digests are. */
function packTar(files: Files): Uint8Array {
  const content = mkdtempSync(path.join(directory, 'layer-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(content, name)), { recursive: true });
    writeFileSync(path.join(content, name), text, { mode: 0o644 });
  }
  const fixed = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  return execFileSync('tar', ['-C', content, ...fixed, '-cf', '-', '.'], { maxBuffer: 1 << 28 });
}
