import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import {
  needsDatabase,
  type ScanReport,
  type ScanRequest,
  type ScanSettings,
  scanArguments,
  scanImage,
} from '../../src/tools/trivy.ts';
import { NO_ACCESS } from '../../src/tools/trivy-access.ts';
import type { TrivyDatabase } from '../../src/tools/trivy-database.ts';

const DIGEST = digestOf('manifest');
const REPOSITORY = { registry: 'ghcr.io', path: 'acme/app' };
const SETTINGS: ScanSettings = {
  scanners: ['vuln', 'secret'],
  pkgTypes: ['os', 'library'],
  skipDirs: [],
  skipFiles: [],
  ignoreFile: undefined,
  vex: [],
  timeoutMs: 600_000,
};
const REQUEST: ScanRequest = {
  target: { kind: 'registry', repository: REPOSITORY, digest: DIGEST },
  settings: SETTINGS,
  access: NO_ACCESS,
};
const PLACE = {
  report: '/scan/report.json',
  empty: '/scan/empty',
  authorities: undefined,
  layout: undefined,
  cache: '/db',
};

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-test-'));
  lines = [];
  open();
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(env: Readonly<Record<string, string>> = {}, signal = new AbortController().signal): void {
  host = createTerminalHost({
    cwd: directory,
    env: { PATH: process.env['PATH'], BUILD_ONCE_DEBUG: 'true', ...env },
    signal,
    write: (line) => void lines.push(line),
  });
}

describe('the arguments of Trivy', () => {
  it('are the same for every scan but for what is asked', () => {
    expect(scanArguments(REQUEST, PLACE)).toEqual([
      'image',
      '--config=/scan/empty',
      '--ignorefile=/scan/empty',
      '--cache-dir=/db',
      '--cache-backend=memory',
      '--skip-db-update',
      '--skip-java-db-update',
      '--skip-check-update',
      '--skip-version-check',
      '--disable-telemetry',
      '--offline-scan',
      '--no-progress',
      '--format=json',
      '--output=/scan/report.json',
      '--list-all-pkgs',
      '--show-suppressed',
      '--timeout=600000ms',
      '--scanners=vuln,secret',
      '--image-config-scanners=secret',
      '--pkg-types=os,library',
      '--image-src=remote',
      '--',
      `ghcr.io/acme/app@${DIGEST}`,
    ]);
  });

  it.each<[string, Partial<ScanSettings>, readonly string[]]>([
    [
      'folders and files to skip',
      { skipDirs: ['/opt', 'a,b'], skipFiles: ['x "y"'] },
      ['--skip-dirs=/opt', '--skip-dirs="a,b"', '--skip-files="x ""y"""'],
    ],
    ['an ignore file', { ignoreFile: '/w/.trivyignore.yaml' }, ['--ignorefile=/w/.trivyignore.yaml']],
    ['VEX', { vex: ['a.json', 'repo'] }, ['--vex=a.json', '--vex=repo']],
    ['misconfiguration', { scanners: ['misconfig'] }, ['--scanners=misconfig', '--image-config-scanners=misconfig']],
    ['packages of one kind', { pkgTypes: ['library'] }, ['--pkg-types=library']],
    ['time', { timeoutMs: 90_000 }, ['--timeout=90000ms']],
  ])('carry %s', (_, settings, expected) => {
    const args = scanArguments({ ...REQUEST, settings: { ...SETTINGS, ...settings } }, PLACE);
    expect(args).toEqual(expect.arrayContaining([...expected]));
  });

  it('leave severities and fixes to the gate', () => {
    expect(scanArguments(REQUEST, PLACE).join(' ')).not.toMatch(/severity|unfixed|exit-code/);
  });

  it.each([
    [['ghcr.io'], 'ghcr.io', true],
    [['registry.lan:5000'], 'ghcr.io', false],
    [['localhost:5000'], 'localhost:5000', false],
  ])('let %j be spoken to over plain http: %s, %s', (plainRegistries, registry, expected) => {
    const target = { kind: 'registry', repository: { registry, path: 'a' }, digest: DIGEST } as const;
    const args = scanArguments({ ...REQUEST, target, access: { ...NO_ACCESS, plainRegistries } }, PLACE);
    expect(args.includes('--insecure')).toBe(expected);
  });

  it('name a file of authorities, and a layout', () => {
    const target = { kind: 'layout', path: '/l', manifest: { mediaType: 'm', digest: DIGEST, sizeBytes: 1 } } as const;
    const args = scanArguments(
      { ...REQUEST, target },
      { ...PLACE, authorities: '/scan/ca.pem', layout: '/scan/layout' },
    );
    expect(args.slice(-2)).toEqual(['--cacert=/scan/ca.pem', '--input=/scan/layout']);
  });
});

/** A real program named trivy that does this instead, with the path of the report in `$out`. */
function fake(script: string): string {
  const program = path.join(directory, 'trivy');
  const find = 'for arg; do case $arg in --output=*) out=${arg#--output=} ;; esac; done';
  fs.writeFileSync(program, `#!/bin/sh\n${find}\n${script}\n`, { mode: 0o755 });
  return program;
}

async function scanWith(script: string, more: Partial<ScanRequest> = {}): Promise<ScanReport> {
  const database: TrivyDatabase = { directory, updatedAt: undefined, addJava: () => Promise.resolve() };
  return scanImage({ host, program: fake(script), version: '0.70.0' }, database, { ...REQUEST, ...more });
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string; hint: string | undefined }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it did not fail', { cause: error });
  return { code: error.code, message: error.message, hint: error.hint };
}

const REPORT = `echo '{"SchemaVersion":2,"Results":[]}' >"$out"`;

it.each([
  ['vuln', true],
  ['secret', false],
  ['misconfig', false],
  ['license', true],
  ['secret,vuln', true],
])('%s needs a database: %s', (scanners, expected) => {
  expect(needsDatabase({ scanners: scanners.split(',') })).toBe(expected);
});

describe('a scan', () => {
  it('answers the report', async () => {
    expect((await scanWith(REPORT)).json).toEqual({ SchemaVersion: 2, Results: [] });
  });

  it.each([0, 1, 2, 3, 127])('counts the exit code %i, and nothing that was said', async (status) => {
    const script = `${REPORT}\necho "2026-11-21T00:00:00Z	ERROR	all is lost" >&2\nexit ${status}`;
    if (status === 0) expect(await scanWith(script)).toBeDefined();
    else expect((await failure(scanWith(script))).code).toBe('SCAN_FAILED');
  });

  it.each([
    [
      'its fatal error',
      "printf 'x\\tINFO\\ta\\nx\\tFATAL\\tFatal error\\trun error: no such image\\n'",
      'could not be scanned: run error: no such image',
    ],
    [
      'the last of several',
      "printf 'x\\tFATAL\\tFatal error\\t2 errors occurred:\\n\\t* one\\n\\t* two\\n\\n'",
      'could not be scanned: 2 errors occurred: * two',
    ],
    ['its last line', 'echo oops', 'could not be scanned: oops'],
    ['nothing', ':', 'could not be scanned: it gave no reason'],
    ['what could steer a terminal', "printf '\\033[31mred\\033[0m'", 'could not be scanned: red'],
  ])('that fails says why: %s', async (_, script, message) => {
    const error = await failure(scanWith(`{ ${script}; } >&2\nexit 1`));
    expect(error.message).toBe(`ghcr.io/acme/app@${DIGEST} ${message}`);
  });

  it('that crashes is a failure', async () => {
    expect((await failure(scanWith('kill -SEGV $$'))).code).toBe('SCAN_FAILED');
  });

  it('that hangs is ended', async () => {
    const settings = { ...SETTINGS, timeoutMs: -14_900 };
    const error = await failure(scanWith('exec sleep 600', { settings }));
    expect(error).toMatchObject({ code: 'SCAN_TIMED_OUT', hint: expect.stringContaining('scan-timeout') });
  });

  it('that says itself that its time is over says the same', async () => {
    const said =
      "printf 'x\\tFATAL\\tFatal error\\trun error: image scan error: context deadline exceeded\\n' >&2; exit 1";
    expect((await failure(scanWith(said))).code).toBe('SCAN_TIMED_OUT');
  });

  it('that writes without end is ended', async () => {
    const error = await failure(scanWith('exec yes'));
    expect(error).toMatchObject({ code: 'SCAN_FAILED', message: expect.stringContaining('wrote more than') });
  });

  it.each([
    ['is not there', ':', 'was not written'],
    ['is empty', ': >"$out"', 'is not JSON'],
    ['is no JSON', 'echo "<html>" >"$out"', 'is not JSON'],
    ['is cut', `printf '{"SchemaVersion":2,"Res' >"$out"`, 'is not JSON'],
    ['is of another schema', `echo '{"SchemaVersion":3}' >"$out"`, 'has the schema 3, and 2 is understood'],
    ['is something else', 'echo [] >"$out"', 'has the schema unknown'],
    ['has 2 GB', 'dd if=/dev/zero of="$out" bs=1 count=1 seek=2G 2>/dev/null', 'is larger than 256 MiB'],
    ['is a pipe', 'mkfifo "$out"', 'is a pipe, not a file'],
    ['is a folder', 'mkdir "$out"', 'is a directory, not a file'],
  ])('whose report %s is refused', async (_, script, why) => {
    const error = await failure(scanWith(script));
    expect(error.code).toBe('SCAN_INVALID');
    expect(error.message).toContain(`the report on ghcr.io/acme/app@${DIGEST} ${why}`);
  });

  it('that cannot start is a failure', async () => {
    const database: TrivyDatabase = { directory, updatedAt: undefined, addJava: () => Promise.resolve() };
    const work = scanImage({ host, program: '/no/such/trivy', version: '0.70.0' }, database, REQUEST);
    expect(await failure(work)).toMatchObject({
      code: 'SCAN_FAILED',
      message: expect.stringContaining('could not be started'),
    });
  });

  it('has the environment that it is given, and none that is for Trivy', async () => {
    open({ TRIVY_SEVERITY: 'LOW', TRIVY_TOKEN: 't' });
    const env = { DOCKER_CONFIG: '/private', HTTPS_PROXY: 'http://p:1' };
    await scanWith(`env >${directory}/env\n${REPORT}`, { access: { ...NO_ACCESS, env } });
    const seen = fs.readFileSync(path.join(directory, 'env'), 'utf8');
    expect(seen).toMatch(/^DOCKER_CONFIG=\/private$/m);
    expect(seen).toMatch(/^HTTPS_PROXY=http:\/\/p:1$/m);
    expect(seen).not.toMatch(/^TRIVY_\w+=./m);
  });

  it('shows what Trivy says only to those who debug', async () => {
    await scanWith(`echo "detected OS" >&2\n${REPORT}`);
    expect(lines).toContain('debug: detected OS');
  });

  it('is ended with the run', async () => {
    const run = new AbortController();
    open({}, run.signal);
    const scan = scanWith(': >"$out"; echo started >&2; exec sleep 600');
    const started = new Promise<void>((resolve) => {
      const poll = setInterval(() => {
        if (!lines.includes('debug: started')) return;
        clearInterval(poll);
        resolve();
      }, 10);
    });
    await started;
    run.abort(new Error('interrupted'));
    await expect(scan).rejects.toThrow('interrupted');
  });

  it('leaves nothing behind', async () => {
    const report = await scanWith(REPORT, { access: { ...NO_ACCESS, authorities: 'PEM' } });
    expect(fs.existsSync(report.file)).toBe(true);
    await host.finish();
    expect(fs.existsSync(path.dirname(report.file))).toBe(false);
  });
});
