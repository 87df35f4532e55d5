/**
 * `npm run docs` – writes what is made from the tables in the code: action.yml, the tables of README.md, the version in
 * src/version.ts; and docs/performance.md with its chart from what the bench has measured. `npm run docs -- --check` writes nothing and fails when something is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { performanceFiles } from '../bench/performance.ts';
import { OPTION_NAMES, OPTION_TABLE, type OptionName } from '../src/option-table.ts';
import { OUTPUT_NAMES, OUTPUT_TABLE, type OutputName, PRUNE_OUTPUTS } from '../src/report/outputs.ts';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
const GROUPS: Readonly<Record<string, string>> = {
  what: 'What to build',
  many: 'Several images',
  build: 'Build',
  tags: 'Tags',
  hash: 'Content hash',
  reuse: 'Reuse',
  scan: 'Scan',
  sign: 'Signing',
  prune: 'Retention',
  registry: 'Registry',
  report: 'Report',
};

const ABOUT =
  'Build each container image once per content - hash what the build reads, reuse the image when the registry has it, else build it; scan and tag it.';
const PRUNE_ABOUT =
  'Prune container images by rules, safely: no image that is kept loses a platform, a signature or an attestation.';

const stale = [
  put('action.yml', actionYml()),
  put('prune/action.yml', pruneActionYml()),
  put('README.md', withSections(read('README.md'), { inputs: inputTables(), outputs: outputTable() })),
  ...Object.entries(performanceFiles()).map(([file, content]) => put(file, content)),
  put('src/version.ts', read('src/version.ts').replace(/'[^']*';/, `'${version()}';`)),
].filter((file) => file !== undefined);
if (check && stale.length > 0) {
  process.stderr.write(`stale: ${stale.join(', ')}. Run npm run docs and commit.\n`);
  process.exitCode = 1;
} else process.stdout.write(stale.length === 0 ? 'the docs are fresh\n' : `written: ${stale.join(', ')}\n`);

function actionYml(): string {
  return actionOf({ name: 'build-once', about: ABOUT, inputs: OPTION_NAMES, outputs: OUTPUT_NAMES, dist: 'dist' });
}

/** The same bundle, with the command fixed. */
function pruneActionYml(): string {
  const groups: ReadonlySet<string> = new Set(['prune', 'registry', 'report']);
  const inputs = OPTION_NAMES.filter(
    (name) => name === 'command' || name === 'images' || groups.has(OPTION_TABLE[name].group),
  );
  return actionOf({ name: 'build-once: prune', about: PRUNE_ABOUT, inputs, outputs: PRUNE_OUTPUTS, dist: '../dist' });
}

interface ActionFile {
  readonly name: string;
  readonly about: string;
  readonly inputs: readonly OptionName[];
  readonly outputs: readonly OutputName[];
  /** From the folder of the file. */
  readonly dist: string;
}

function actionOf({ name: title, about: description, inputs, outputs, dist }: ActionFile): string {
  const isPrune = dist !== 'dist';
  const inputLines = inputs.map((name) => {
    const { about, default: standIn } = OPTION_TABLE[name];
    const actionDefault = 'actionDefault' in OPTION_TABLE[name] ? OPTION_TABLE[name].actionDefault : undefined;
    // Empty where the environment may stand in: a default would look like an input that was given.
    const own = 'variable' in OPTION_TABLE[name] ? '' : standIn;
    const required = name === 'images' && !isPrune ? '\n    required: true' : '';
    const shown = name === 'command' && isPrune ? 'prune' : (actionDefault ?? own);
    const text = name === 'command' && isPrune ? 'Always `prune`.' : about;
    return `  ${name}:\n    description: ${yaml(text)}${required}\n    default: ${yaml(shown)}`;
  });
  const outputLines = outputs.map((name) => `  ${name}:\n    description: ${yaml(OUTPUT_TABLE[name])}`);
  return `# Made from src/option-table.ts and src/report/outputs.ts by npm run docs.
name: ${yaml(title)}
description: ${yaml(description)}
author: build-once
branding:
  icon: package
  color: blue
inputs:
${inputLines.join('\n')}
outputs:
${outputLines.join('\n')}
runs:
  using: node24
  main: ${dist}/index.js
  post: ${dist}/post.js
`;
}

function inputTables(): string {
  return Object.entries(GROUPS)
    .map(([group, title]) => {
      const rows = OPTION_NAMES.filter((name) => OPTION_TABLE[name].group === group).map((name) => {
        const { about, default: standIn } = OPTION_TABLE[name];
        const isToken = 'actionDefault' in OPTION_TABLE[name] && OPTION_TABLE[name].actionDefault !== '';
        const shown = isToken ? "the job's token" : standIn === '' ? '' : `\`${standIn}\``;
        return `| \`${name}\` | ${shown} | ${about.replaceAll('|', '\\|')} |`;
      });
      return `**${title}**\n\n| input | default | meaning |\n|---|---|---|\n${rows.join('\n')}`;
    })
    .join('\n\n');
}

function outputTable(): string {
  const rows = Object.entries(OUTPUT_TABLE).map(([name, about]) => `| \`${name}\` | ${about} |`);
  return `| output | meaning |\n|---|---|\n${rows.join('\n')}`;
}

/** Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`. */
function withSections(text: string, sections: Readonly<Record<string, string>>): string {
  return Object.entries(sections).reduce((result, [name, body]) => {
    const pattern = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(\\n<!-- /${name} -->)`);
    if (!pattern.test(result)) throw new Error(`README.md has no section ${name}`);
    return result.replace(pattern, (_, open: string, close: string) => `${open}${body}${close}`);
  }, text);
}

function version(): string {
  const found = /"version": "([^"]+)"/.exec(read('package.json'))?.[1];
  if (found === undefined) throw new Error('package.json has no version');
  return found;
}

/** A YAML double-quoted scalar is JSON's string. */
function yaml(text: string): string {
  return JSON.stringify(text);
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** The file's name when its content was not this. */
function put(file: string, content: string): string | undefined {
  let current: string | undefined;
  try {
    current = read(file);
  } catch {
    current = undefined;
  }
  if (current === content) return undefined;
  if (check) return file;
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), content);
  return file;
}
