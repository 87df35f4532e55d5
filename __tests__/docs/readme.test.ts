import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMAND_NAMES } from '../../src/command-line.ts';
import { CHECKOUT, run } from '../support/programs.ts';

/** Besides the generated tables, which grow with the inputs. */
const MAX_LINES = 160;
const read = (file: string): string => readFileSync(join(CHECKOUT, file), 'utf8');
const README = read('README.md');
const PAGES = ['README.md', ...readdirSync(join(CHECKOUT, 'docs')).map((name) => `docs/${name}`)];

/** The fenced blocks of one language, in order. */
function blocks(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  );
}

/** As GitHub makes them from headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...page.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('the README', () => {
  it('shows the examples as they are tested', () => {
    const shown = blocks(README, 'yaml');
    expect(shown).toEqual([read('examples/one-step.yml'), read('examples/release.yml')]);
  });

  it(`has ${MAX_LINES} lines at most that are not made from tables`, () => {
    const written = README.replace(/^<!-- (\w+) -->\n[\s\S]*?^<!-- \/\1 -->\n/gm, '');
    expect(written.length).toBeLessThan(README.length);
    expect(written.split('\n').length - 1).toBeLessThanOrEqual(MAX_LINES);
  });

  it('names commands that exist', () => {
    const named = [...README.matchAll(/node dist\/cli\.js (\w+)/g)].map(([, command]) => command);
    expect(named.length).toBeGreaterThan(2);
    for (const command of named) expect(COMMAND_NAMES).toContain(command);
  });

  it('has library examples that run', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'build-once-readme-'));
    writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\n');
    const examples = blocks(README, 'ts');
    const outputs: string[] = [];
    for (const example of examples) {
      const source = example
        .replace("'build-once'", JSON.stringify(join(CHECKOUT, 'src/index.ts')))
        .replace("'build-once/testing'", JSON.stringify(join(CHECKOUT, 'src/registry/server.ts')));
      writeFileSync(join(directory, 'example.ts'), source);
      const { status, stdout, stderr } = await run([process.execPath, 'example.ts'], { cwd: directory });
      expect([example, status, stderr.includes('rror')]).toEqual([example, 0, false]);
      outputs.push(stdout.trim());
    }
    rmSync(directory, { recursive: true });
    expect(outputs).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });
});

it.each(PAGES)('%s has links that lead somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
  for (const link of links.filter((one) => !/^https?:/.test(one))) {
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    expect([link, existsSync(join(CHECKOUT, file))]).toEqual([link, true]);
    if (anchor !== undefined) expect([link, anchorsOf(read(file)).has(anchor)]).toEqual([link, true]);
  }
});
