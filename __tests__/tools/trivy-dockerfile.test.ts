import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DockerfileProblem } from '../../src/core/dockerfile-problems.ts';
import { BuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { checkDockerfile } from '../../src/tools/trivy.ts';
import type { DockerfileCheck } from '../../src/tools/trivy-dockerfile.ts';

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-dockerfile-'));
  open();
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(env: Readonly<Record<string, string>> = {}, signal = new AbortController().signal): void {
  lines = [];
  const write = (line: string): void => void lines.push(line);
  host = createTerminalHost({ cwd: directory, env: { PATH: process.env['PATH'], ...env }, signal, write });
}

const FAILED = {
  ID: 'DS-0005',
  Title: 'ADD instead of COPY',
  Message: "Consider using 'COPY x y' command instead of 'ADD x y'",
  Resolution: 'Use COPY instead of ADD',
  Severity: 'LOW',
  PrimaryURL: 'https://avd.aquasec.com/misconfig/ds-0005',
  Status: 'FAIL',
  CauseMetadata: { StartLine: 2, EndLine: 2 },
};

function report(...misconfigurations: readonly object[]): string {
  const result = { Target: 'Dockerfile', Class: 'config', Type: 'dockerfile', Misconfigurations: misconfigurations };
  const json = JSON.stringify({ SchemaVersion: 2, ArtifactName: '/tmp/x', Results: [result] });
  return `cat >"$out" <<'END'\n${json}\nEND`;
}

/** A real program named trivy that does this instead; its arguments are in `argv`, the report's path in `$out`. */
function check(script: string, change: Partial<DockerfileCheck> = {}): Promise<readonly DockerfileProblem[]> {
  const program = path.join(directory, 'trivy');
  const find = 'for arg; do case $arg in --output=*) out=${arg#--output=} ;; esac; folder=$arg; done';
  const keep = `printf '%s\\n' "$@" >'${directory}/argv'; env >'${directory}/env'`;
  fs.writeFileSync(program, `#!/bin/sh\n${find}\n${keep}\n${script}\n`, { mode: 0o755 });
  if (change.file === undefined) fs.writeFileSync(path.join(directory, 'Dockerfile'), 'FROM a:1\nADD x y\n');
  const trivy = { host, program, version: '0.70.0' };
  return checkDockerfile(trivy, { file: 'Dockerfile', ignoreFile: undefined, timeoutMs: 60_000, ...change });
}

function seen(name: 'argv' | 'env'): readonly string[] {
  return fs.readFileSync(path.join(directory, name), 'utf8').trim().split('\n');
}

describe('a check of a Dockerfile', () => {
  it('answers what failed, with its line', async () => {
    expect(await check(report(FAILED, { ...FAILED, Status: 'PASS' }))).toEqual([
      {
        rule: 'DS-0005',
        message: 'ADD instead of COPY: Use COPY instead of ADD',
        url: 'https://avd.aquasec.com/misconfig/ds-0005',
        line: 2,
        severity: 'LOW',
        source: 'trivy',
      },
    ]);
    expect(lines).toEqual([]);
  });

  it('takes nothing from what lies about, and downloads nothing', async () => {
    open({ TRIVY_SEVERITY: 'CRITICAL' });
    await check(report());
    const [command, config, ignored, cache, ...rest] = seen('argv');
    const at = path.dirname(config?.replace('--config=', '') ?? '');
    expect([command, config, ignored, cache]).toEqual([
      'config',
      `--config=${at}/empty`,
      `--ignorefile=${at}/empty`,
      `--cache-dir=${at}/cache`,
    ]);
    expect(rest).toEqual([
      '--skip-check-update',
      '--skip-version-check',
      '--disable-telemetry',
      '--misconfig-scanners=dockerfile',
      '--file-patterns=dockerfile:.',
      '--format=json',
      `--output=${at}/report.json`,
      '--timeout=60000ms',
      '--',
      `${at}/files`,
    ]);
    expect(seen('env').filter((line) => /^TRIVY_\w+=./.test(line))).toEqual([]);
  });

  it('hands over the ignore file', async () => {
    await check(report(), { ignoreFile: '/w/.trivyignore.yaml' });
    expect(seen('argv')).toContain('--ignorefile=/w/.trivyignore.yaml');
  });

  it.each([
    ['Dockerfile', 'Dockerfile'],
    ['build/app.docker', 'build/app.docker'],
    ['a,b "c"/Docker file', 'a,b "c"/Docker file'],
    // Where Trivy would not look.
    ['dev/Dockerfile', 'Dockerfile'],
    ['a/.git/x', 'x'],
    ['a/dev/Dockerfile', 'a/dev/Dockerfile'],
    ['../OUTSIDE/Dockerfile', 'Dockerfile'],
  ])('shows Trivy %j as %j, and no other file', async (file, expected) => {
    const real = file.replace('OUTSIDE', `${path.basename(directory)}-outside`);
    const place = path.dirname(path.join(directory, real));
    fs.mkdirSync(place, { recursive: true });
    try {
      fs.writeFileSync(path.join(directory, real), 'FROM a:1\n# here\n');
      fs.writeFileSync(path.join(place, 'beside'), '');
      await check(`${report()}\n(cd "$folder" && find . -type f -exec grep -H here {} +) >'${directory}/files'`, {
        file: real,
      });
      expect(fs.readFileSync(path.join(directory, 'files'), 'utf8')).toBe(`./${expected}:# here\n`);
    } finally {
      if (real !== file) fs.rmSync(place, { recursive: true });
    }
  });

  it.each([
    ['fails', "printf 'x\\tFATAL\\tFatal error\\tno checks\\n' >&2; exit 1", 'could not be scanned: no checks'],
    ['crashes', 'kill -SEGV $$', 'could not be scanned'],
    ['hangs', 'exec sleep 600', 'could not be scanned in time'],
    ['writes without end', 'exec yes', 'wrote more than'],
    ['writes no report', ':', 'the report on "Dockerfile" was not written'],
    ['writes garbage', 'echo "<html>" >"$out"', 'is not JSON'],
    ['writes another schema', `echo '{"SchemaVersion":3}' >"$out"`, 'cannot be read: SchemaVersion is not 2'],
    ['writes an unknown severity', report({ ...FAILED, Severity: 'AWFUL' }), 'has the severity "AWFUL"'],
    ['could not read it', `echo '{"SchemaVersion":2}' >"$out"`, '"Dockerfile" is no Dockerfile that it can read'],
  ])('finds nothing when Trivy %s, and says so', async (_, script, reason) => {
    expect(await check(script, { timeoutMs: script.includes('sleep') ? -14_900 : 60_000 })).toEqual([]);
    expect(lines).toEqual([expect.stringMatching(/^Trivy did not look at the Dockerfile: /)]);
    expect(lines[0]).toContain(reason);
  });

  it.each([
    ['is not there', () => {}],
    ['is a directory, not a file', (file: string) => fs.mkdirSync(file)],
    ['is larger than 16 MiB', (file: string) => fs.writeFileSync(file, '#'.repeat((16 << 20) + 1))],
  ])('finds nothing in a file that %s', async (why, make) => {
    make(path.join(directory, 'x'));
    expect(await check(report(FAILED), { file: 'x' })).toEqual([]);
    expect(lines).toEqual([`Trivy did not look at the Dockerfile: "x" ${why}`]);
  });

  it('is ended with the run', async () => {
    const run = new AbortController();
    open({}, run.signal);
    run.abort(new BuildOnceError('INTERRUPTED', 'interrupted', 1));
    await expect(check(report(FAILED))).rejects.toThrow('interrupted');
  });

  it('leaves nothing behind', async () => {
    await check(report());
    const folder = seen('argv').at(-1) ?? '';
    expect(fs.existsSync(folder)).toBe(true);
    await host.finish();
    expect(fs.existsSync(path.dirname(folder))).toBe(false);
  });
});
