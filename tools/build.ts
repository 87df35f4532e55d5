/**
 * `npm run build` – src/ → lib/ (tsc) → dist/ (ncc). ncc cannot read TypeScript 7 sources, hence the two steps.
 * `npm run build -- --check` builds elsewhere and fails when dist/ differs by a byte.
 *
 * Each entry is a bundle of its own: what the hit path does not need (`exec`, `buildx`, `engine`, `git` …)
 * is loaded on demand by a dynamic import that ncc leaves alone. dist/ is flat, so such a module stands beside its importer
 * in src/ too.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BUNDLES: Readonly<Record<string, string>> = {
  index: 'action.js',
  many: 'many.js',
  post: 'post.js',
  cli: 'cli.js',
  commands: 'commands.js',
  demo: 'demo.js',
  explanation: 'explanation.js',
  'image-scanner': 'image-scanner.js',
  'image-signer': 'image-signer.js',
  'image-trust': 'image-trust.js',
  exec: 'hosts/exec.js',
  'read-worker': 'hosts/read-worker.js',
  'build-check': 'tools/build-check.js',
  buildx: 'tools/buildx.js',
  cosign: 'tools/cosign.js',
  engine: 'tools/engine.js',
  git: 'tools/git.js',
  github: 'tools/github.js',
  layout: 'registry/layout.js',
  prune: 'prune.js',
  sigstore: 'tools/sigstore.js',
  toolkit: 'tools/toolkit.js',
  trivy: 'tools/trivy.js',
  tunnel: 'registry/tunnel.js',
};

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
const dist = join(root, 'dist');
const out = mkdtempSync(join(tmpdir(), 'build-once-dist-'));

run('tsc', ['-p', 'tsconfig.build.json', '--outDir', join(root, 'lib')], () =>
  rmSync(join(root, 'lib'), { recursive: true, force: true }),
);
const licenses = new Set<string>();
for (const [name, entry] of Object.entries(BUNDLES)) bundle(name, join(root, 'lib', entry));
writeFileSync(join(out, 'licenses.txt'), [...licenses].sort().join('\n\n'));
writeFileSync(join(out, 'package.json'), '{"type":"module"}\n');
if (check) compare();
else replace();
rmSync(out, { recursive: true, force: true });

function bundle(name: string, entry: string): void {
  const work = mkdtempSync(join(tmpdir(), 'build-once-ncc-'));
  try {
    run('ncc', ['build', entry, '--out', work, '--minify', '--no-cache', '--quiet', '--license', 'licenses.txt']);
    cpSync(join(work, 'index.js'), join(out, `${name}.js`));
    const text = readFileSync(join(work, 'licenses.txt'), { encoding: 'utf8', flag: 'a+' });
    for (const license of text.split(/\n{2,}(?=\S+\n(?:[A-Z0-9(]|$))/))
      if (license.trim() !== '') licenses.add(license.trim());
    const stray = readdirSync(work).filter((file) => !['index.js', 'package.json', 'licenses.txt'].includes(file));
    if (stray.length > 0) throw new Error(`${name}: ncc made files that nobody ships: ${stray.join(', ')}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** At the end, so that what runs meanwhile, and a build that fails, has the whole of the old one. */
function replace(): void {
  rmSync(dist, { recursive: true, force: true });
  cpSync(out, dist, { recursive: true });
}

function compare(): void {
  const names = new Set([...readdirSync(dist), ...readdirSync(out)]);
  const stale = [...names].filter((name) => !same(join(dist, name), join(out, name)));
  if (stale.length > 0) {
    process.stderr.write(`dist/ is stale: ${stale.join(', ')}. Run npm run build and commit dist/.\n`);
    process.exitCode = 1;
  } else process.stdout.write('dist/ is fresh\n');
}

function same(a: string, b: string): boolean {
  try {
    return readFileSync(a).equals(readFileSync(b));
  } catch {
    return false;
  }
}

function run(program: string, args: readonly string[], before: () => void = () => {}): void {
  before();
  execFileSync(join(root, 'node_modules', '.bin', program), args, { cwd: root, stdio: 'inherit' });
}
