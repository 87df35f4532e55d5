import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT, run } from './support/programs.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'build-once-lint-'));
  cpSync(join(CHECKOUT, '.oxlintrc.json'), join(directory, '.oxlintrc.json'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function lint(file: string, code: string): Promise<string> {
  const path = join(directory, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${code}\n`);
  const { stdout, stderr } = await run([join(CHECKOUT, 'node_modules/.bin/oxlint'), file], { cwd: directory });
  rmSync(path);
  return stdout + stderr;
}

const RULES: readonly (readonly [file: string, code: string, says: string])[] = [
  [
    'src/core/x.ts',
    "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
    'core/ and oci/ are pure',
  ],
  ['src/core/x.ts', "import { x } from '../registry/open.ts';\nexport const y = x;", 'import only each other'],
  ['src/core/a/x.ts', "import { x } from '../../registry/open.ts';\nexport const y = x;", 'import only each other'],
  [
    'src/core/a/x.ts',
    "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
    'core/ and oci/ are pure',
  ],
  ['src/oci/x.ts', "import * as core from '@actions/core';\nexport const x = core;", 'core/ and oci/ are pure'],
  ['src/core/x.ts', 'export const x = () => new Date();', 'Reach it through Host'],
  ['src/core/x.ts', 'export const x = () => process.env;', 'Reach it through Host'],
  ['src/registry/x.ts', "import { x } from '../stages/hash.ts';\nexport const y = x;", 'core/, oci/ and errors only'],
  ['src/registry/x.ts', "import { exec } from '@actions/exec';\nexport const y = exec;", 'speaks HTTP itself'],
  ['src/stages/x.ts', "import { y } from './hash.ts';\nexport const x = y;", 'Stages meet in Run.results only'],
  ['src/stages/x.ts', "import { y } from '../registry/distribution.ts';\nexport const x = y;", 'never a backend'],
  ['src/stages/x.ts', "import { y } from '../hosts/terminal.ts';\nexport const x = y;", 'the Host port only'],
  ['src/stages/x.ts', "import { y } from 'node:fs';\nexport const x = y;", 'Reach it through Host'],
  ['src/stages/x.ts', 'export const x = () => fetch("http://localhost");', 'Reach it through Host'],
  ['src/tools/x.ts', "import { y } from '../stages/hash.ts';\nexport const x = y;", 'tools/ know core/'],
  ['src/tools/x.ts', "import { y } from 'node:child_process';\nexport const x = y;", 'Reach it through Host'],
  [
    'src/tools/x.ts',
    "import { y } from '@docker/actions-toolkit/lib/x.js';\nexport const x = y;",
    'Only tools/toolkit.ts',
  ],
  ['src/report/x.ts', "import { y } from '../registry/open.ts';\nexport const x = y;", 'report/ reads Run only'],
  ['src/hosts/x.ts', "import { y } from '../stages/hash.ts';\nexport const x = y;", 'hosts/ are the outer world only'],
  ['src/x.ts', "import { y } from '@actions/exec';\nexport const x = y;", '@actions/* live in'],
  ['src/x.ts', 'export default 1;', 'no-default-export'],
  ['src/some_file.ts', 'export const x = 1;', 'filename-case'],
  ['src/x.ts', 'console.log(1);', 'no-console'],
  ['__tests__/x.test.ts', "import { vi } from 'vitest';\nvi.mock('../src/x.ts');", 'No mocks of modules'],
];

describe('the linter', () => {
  it.each(RULES)('refuses in %s: %s', async (file, code, says) => {
    expect(await lint(file, code)).toContain(says);
  });

  it('lets pure code and the Repository interface through', async () => {
    expect(
      await lint('src/core/x.ts', "import { createHash } from 'node:crypto';\nexport const x = createHash;"),
    ).toContain('0 errors');
    expect(
      await lint('src/stages/x.ts', "import { fetchImage } from '../registry/image.ts';\nexport const x = fetchImage;"),
    ).toContain('0 errors');
  });
});
