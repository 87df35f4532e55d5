import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { convertReport } from '../../src/tools/trivy.ts';

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-convert-'));
  const env = { PATH: process.env['PATH'], TRIVY_FORMAT: 'table' };
  host = createTerminalHost({ cwd: directory, env, write: () => {} });
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

/** A real program named trivy that does this instead; its arguments are in `argv`, the path to write in `$out`. */
async function convert(script: string): Promise<void> {
  const program = path.join(directory, 'trivy');
  const find = 'for arg; do case $arg in --output=*) out=${arg#--output=} ;; esac; done';
  const keep = `printf '%s\\n' "$@" "[$TRIVY_FORMAT]" >'${directory}/argv'`;
  fs.writeFileSync(program, `#!/bin/sh\n${find}\n${keep}\n${script}\n`, { mode: 0o755 });
  const report = { file: '/scan/report.json', json: {} };
  await convertReport({ host, program, version: '0.70.0' }, report, 'cyclonedx', 'out/app.cdx.json');
}

const BOM = `echo '{"bomFormat":"CycloneDX"}' >"$out"`;

describe('a report in another format', () => {
  it('is made of the report alone', async () => {
    await convert(BOM);
    const [, config = '', ...rest] = fs.readFileSync(path.join(directory, 'argv'), 'utf8').trim().split('\n');
    expect(config).toMatch(/^--config=\/.*\/empty$/);
    expect(rest).toEqual([
      config.replace('config', 'ignorefile'),
      '--format=cyclonedx',
      config.replace('config', 'output').replace('empty', 'made'),
      '--',
      '/scan/report.json',
      '[]',
    ]);
    const made = fs.readFileSync(path.join(directory, 'out/app.cdx.json'), 'utf8');
    expect(JSON.parse(made)).toEqual({ bomFormat: 'CycloneDX' });
  });

  it.each([
    ['that fails', "printf 'x\\tFATAL\\tFatal error\\tno such report\\n' >&2; exit 1", 'SCAN_FAILED', 'no such report'],
    ['that crashes', 'kill -SEGV $$', 'SCAN_FAILED', 'could not be made of the report'],
    ['that writes without end', 'exec yes', 'SCAN_FAILED', 'wrote more than'],
    ['that is not there', ':', 'SCAN_INVALID', 'was not written'],
    ['that is no JSON', `${BOM}; echo x >"$out"`, 'SCAN_INVALID', 'is not JSON'],
    ['that is something else', `${BOM}; echo '{}' >"$out"`, 'SCAN_INVALID', 'is not CycloneDX'],
  ])('%s is an error', async (_, script, code, why) => {
    const error: unknown = await convert(script).catch((reason: unknown) => reason);
    if (!isBuildOnceError(error)) throw new Error('it did not fail', { cause: error });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^"out\/app\.cdx\.json" /);
    expect(error.message).toContain(why);
    expect(fs.existsSync(path.join(directory, 'out'))).toBe(false);
  });
});
