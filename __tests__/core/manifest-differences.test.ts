import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeDifference } from '../../src/core/difference-text.ts';
import { digestOf } from '../../src/core/digest.ts';
import type { InputManifest, UseInput } from '../../src/core/input-manifest.ts';
import { compareManifests } from '../../src/core/manifest-differences.ts';
import { leaf, sampleManifest, wholeManifest } from '../support/sample-manifest.ts';

type Change = (manifest: InputManifest) => Partial<InputManifest>;

/** The manifest with the entries of every use passed through `edit`, by the path in the build's own context. */
const editing =
  (edit: (path: string, leaf: string) => string | undefined): Change =>
  ({ uses }) => ({
    uses: uses.map(({ entries, ...use }) => ({
      ...use,
      entries: entries.flatMap(([name, content]) => {
        const path = (name.startsWith('/') ? name : `${use.source}/${name}`).replace(/^\/+/, '');
        const edited = use.context === undefined ? edit(path, content) : content;
        return edited === undefined ? [] : [[name, edited] as const];
      }),
    })),
  });
const adding =
  (...more: readonly UseInput[]): Change =>
  ({ uses }) => ({ uses: [...uses, ...more] });
const instructing =
  (edit: (lines: readonly string[], platform: string) => readonly string[]): Change =>
  ({ targets }) => ({
    targets: targets.map((target) => ({ ...target, instructions: edit(target.instructions, target.platform) })),
  });
const replacing = (line: string, ...lines: readonly string[]): Change =>
  instructing((all) => all.flatMap((one) => (one === line ? lines : [one])));
const optionally =
  (options: InputManifest['options']): Change =>
  (manifest) => ({ options: { ...manifest.options, ...options } });

const found = (before: InputManifest, after: InputManifest): readonly string[] =>
  compareManifests(before, after).map(describeDifference);
const changed = (change: Change, manifest = sampleManifest()): readonly string[] =>
  found(manifest, { ...manifest, ...change(manifest) });
const short = (text: string): string => digestOf(text).slice(0, 'sha256:'.length + 12);

describe('two manifests differ in', () => {
  it.each<[string, Change, string[]]>([
    [
      'a file that two instructions read, once',
      editing((path, one) => (path === 'src/a.ts' ? leaf('A') : one)),
      ['~ src/a.ts'],
    ],
    [
      'a file that is copied by its name',
      editing((path, one) => (path === 'package-lock.json' ? leaf('L') : one)),
      ['~ package-lock.json'],
    ],
    ['a file that is gone', editing((path, one) => (path === 'src/b.ts' ? undefined : one)), ['- src/b.ts']],
    [
      'files that are new',
      adding({
        op: 'copy',
        source: '/docs',
        entries: [
          ['x.md', leaf('x')],
          ['y', leaf('y', 'x')],
        ],
      }),
      ['+ docs/x.md', '+ docs/y: executable'],
    ],
    [
      'a directory that is empty',
      adding({ op: 'copy', source: '/docs', entries: [['.', '/']] }),
      ['+ docs: empty directory'],
    ],
    [
      'an exec bit that is set',
      editing((path, one) => (path === 'src/b.ts' ? leaf('b', 'x') : one)),
      ['~ src/b.ts: executable now, the same bytes'],
    ],
    [
      'an exec bit that is gone',
      editing((path, one) => (path === 'src/run.sh' ? leaf('run') : one)),
      ['~ src/run.sh: no longer executable, the same bytes'],
    ],
    [
      'bytes and exec bit',
      editing((path, one) => (path === 'src/run.sh' ? leaf('ran') : one)),
      ['~ src/run.sh: other bytes, no longer executable'],
    ],
    [
      'what a link points at',
      editing((path, one) => (path === 'src/link' ? '@b.ts' : one)),
      ['~ src/link: link to "a.ts" → link to "b.ts"'],
    ],
    [
      'a link that is a file now',
      editing((path, one) => (path === 'src/link' ? leaf('a') : one)),
      ['~ src/link: link to "a.ts" → file'],
    ],
    [
      'a file of a named context',
      ({ uses }) => ({
        uses: uses.map((use) => (use.context === 'assets' ? { ...use, entries: [['logo.svg', leaf('new')]] } : use)),
      }),
      ['~ logo.svg (context assets)'],
    ],
    [
      'a file whose name says nothing',
      adding({
        op: 'copy',
        source: '/d',
        entries: [
          ['a\n\u001b[31m', leaf('x')],
          ['', leaf('z')],
        ],
      }),
      ['+ d/', '+ "d/a"'],
    ],
    [
      'a base image that has moved',
      ({ images }) => ({ images: { ...images, 'node:22': digestOf('moved') } }),
      [`~ node:22: ${short('node')} → ${short('moved')}`],
    ],
    [
      'a base image and its FROM',
      (all) => ({
        ...replacing('FROM node:22', 'FROM node:24')(all),
        images: { 'alpine:3': digestOf('alpine'), 'node:24': digestOf('24') },
      }),
      [`- node:22: ${short('node')}`, `+ node:24: ${short('24')}`, '~ FROM node:22 → FROM node:24'],
    ],
    ['the value of an ARG', replacing('ARG GREETING=hello', 'ARG GREETING=bye'), ['~ GREETING: hello → bye']],
    [
      'an ARG with blanks in it',
      replacing('ARG GREETING=hello', 'ARG "GREETING=a \\"b\\" c"'),
      ['~ GREETING: hello → a "b" c'],
    ],
    ['an ARG that has a value no more', replacing('ARG GREETING=hello', 'ARG GREETING'), ['~ GREETING: hello']],
    ['an ARG that is empty now', replacing('ARG GREETING=hello', 'ARG GREETING='), ['~ GREETING: hello → ""']],
    ['an ARG that is new', replacing('RUN npm ci', 'ARG MODE=fast', 'RUN npm ci'), ['+ MODE: fast']],
    [
      'an ARG of one platform',
      instructing((lines, platform) =>
        platform === 'linux/arm64' ? lines.map((one) => one.replace('arm64', 'v8')) : lines,
      ),
      ['~ TARGETARCH (linux/arm64): arm64 → v8'],
    ],
    [
      'a build arg of the builder',
      () => ({ buildArgs: { BUILDKIT_SYNTAX: 'other', BUILDKIT_X: '1' } }),
      ['~ BUILDKIT_SYNTAX: docker/dockerfile:1 → other', '+ BUILDKIT_X: 1'],
    ],
    ['an instruction', replacing('RUN npm ci', 'RUN npm ci --omit=dev'), ['~ RUN npm ci → RUN npm ci --omit=dev']],
    ['an instruction that is new', replacing('RUN npm ci', 'RUN npm ci', 'RUN npm test'), ['+ RUN npm test']],
    ['an instruction that is gone', replacing('RUN npm ci'), ['- RUN npm ci']],
    ['instructions in another order', replacing('RUN npm ci', 'RUN x', 'RUN npm ci', 'RUN y'), ['+ RUN x', '+ RUN y']],
    [
      'an instruction of many lines',
      replacing('RUN npm ci', `RUN <<EOF\n${'x'.repeat(1e6)}\nEOF`),
      [`~ RUN npm ci → "RUN <<EOF ${'x'.repeat(49)}…"`],
    ],
    ['an option', optionally({ network: 'none' }), ['+ network: none']],
    [
      'a label',
      optionally({ labels: ['team=api', 'tier=1', 'x=y'] }),
      ['~ labels: team=web → team=api', '+ labels: x=y'],
    ],
    ['labels in another order', optionally({ labels: ['tier=1', 'team=web'] }), ['~ labels: in another order']],
    ['an extra host', optionally({ addHosts: [] }), ['- addHosts: db:10.0.0.1']],
    [
      'the platforms',
      (all) => ({ ...optionally({ platforms: ['linux/amd64'] })(all), targets: all.targets.slice(0, 1) }),
      ['- platforms: linux/arm64'],
    ],
    [
      'the only platform',
      (all) => ({
        ...optionally({ platforms: ['linux/s390x'] })(all),
        targets: [{ platform: 'linux/s390x', instructions: ['FROM x'], uses: [] }],
      }),
      expect.arrayContaining(['- platforms: linux/amd64', '+ platforms: linux/s390x', '~ FROM node:22 → FROM x']),
    ],
    ['an option that only one knows', optionally({ constructor: 'x' }), ['+ constructor: x']],
    [
      'a named context',
      () => ({ namedContexts: { tools: { source: 'docker-image://alpine:4' }, more: { source: 'https://x/y.git' } } }),
      ['~ tools: docker-image://alpine:3 → docker-image://alpine:4', '+ more: https://x/y.git'],
    ],
    ['hash-files', () => ({ files: [['ci/version.txt', leaf('2')]] }), ['~ ci/version.txt']],
    [
      'a link of hash-files, and what it leads to',
      () => ({
        files: [
          ['ci/version.txt', '@x'],
          ['ci/version.txt', leaf('1')],
        ],
      }),
      ['~ ci/version.txt: 1 file then, 2 now'],
    ],
    [
      'a directory of hash-files, which need not be empty',
      ({ files }) => ({
        files: [...files, ['src', '/'], ['src/a', leaf('1')]],
      }),
      ['+ src: directory', '+ src/a'],
    ],
    ['the salt', () => ({ salt: 'x' }), ['+ hash-salt: x']],
    ['the scope', () => ({ scope: 'manifests' }), ['~ hash-scope: inputs → manifests']],
    [
      'what cannot be pinned',
      () => ({ unique: 'a' }),
      ['~ unique: this build cannot be repeated: it reads what cannot be pinned'],
    ],
    [
      'nothing but the order',
      ({ uses }) => ({ uses: [...uses].reverse() }),
      ['~ order: the same things in another order'],
    ],
  ])('%s', (_, change, expected) => {
    expect(changed(change)).toEqual(expected);
  });

  it('an arg of the builder that the Dockerfile declares too, once', () => {
    const before = sampleManifest({
      buildArgs: { BUILDKIT_X: '1' },
      ...replacing('RUN npm ci', 'ARG BUILDKIT_X=1')(sampleManifest()),
    });
    const after = sampleManifest({
      buildArgs: { BUILDKIT_X: '2' },
      ...replacing('RUN npm ci', 'ARG BUILDKIT_X=2')(sampleManifest()),
    });
    expect(found(before, after)).toEqual(['~ BUILDKIT_X: 1 → 2']);
  });

  it('what made a run unrepeatable then, also where it is repeatable now', () => {
    expect(changed(() => ({ unique: '' }), sampleManifest({ unique: 'b' }))).toEqual([
      '~ unique: that build could not be repeated: it read what cannot be pinned',
    ]);
  });

  it('everything at once, each of it once', () => {
    const edits = [
      editing((path, one) => (path === 'src/a.ts' ? leaf('A') : one)),
      () => ({ images: { 'alpine:3': digestOf('alpine'), 'node:22': digestOf('moved') } }),
      replacing('ARG GREETING=hello', 'ARG GREETING=hello', 'ARG MODE=fast'),
    ];
    const before = sampleManifest();
    const after = edits.reduce<InputManifest>((manifest, edit) => ({ ...manifest, ...edit(manifest) }), before);
    expect(found(before, after)).toEqual([
      '~ src/a.ts',
      `~ node:22: ${short('node')} → ${short('moved')}`,
      '+ MODE: fast',
    ]);
  });
});

describe('a path is told from a source and the names below it', () => {
  const globbing = (source: string, ...leaves: readonly (readonly [string, string])[]): InputManifest =>
    sampleManifest({ uses: [{ op: 'copy', source, entries: leaves }] });

  it.each<[string, InputManifest, InputManifest, string[]]>([
    [
      'a glob of files',
      globbing('/package*.json', ['/package.json', leaf('1')]),
      globbing('/package*.json', ['/package.json', leaf('2')]),
      ['~ package.json'],
    ],
    [
      'a glob of directories',
      globbing('/packages/*', ['x.js', leaf('1')]),
      globbing('/packages/*', ['x.js', leaf('2')]),
      ['~ packages/*: x.js'],
    ],
    [
      'files of one name in many directories',
      globbing('/packages/*/package.json', ['/package.json', leaf('1')], ['/package.json', leaf('2')]),
      globbing('/packages/*/package.json', ['/package.json', leaf('1')], ['/package.json', leaf('3')]),
      ['~ packages/*/package.json: 2 files then, 2 now'],
    ],
    [
      'a glob that matches more',
      globbing('/*/p', ['/p', leaf('1')]),
      globbing('/*/p', ['/p', leaf('1')], ['/p', leaf('1')]),
      ['~ */p: 1 file then, 2 now'],
    ],
    [
      'a directory that holds a file of its name',
      globbing('/app', ['app', leaf('1')], ['x', leaf('x')]),
      globbing('/app', ['app', leaf('1')]),
      ['- app/x'],
    ],
    [
      'a file that becomes a directory with a file of its name',
      globbing('/app', ['/app', leaf('1')]),
      globbing('/app', ['app', leaf('1')]),
      ['- app', '+ app/app'],
    ],
    [
      'a file that becomes such a directory, and a glob takes both',
      globbing('/a*', ['/app', leaf('1')]),
      globbing('/a*', ['app', leaf('1')]),
      ['+ a*: app', '- app'],
    ],
    [
      'a bind mount with a star in its name',
      sampleManifest({ uses: [{ op: 'bind', source: '/a*', entries: [['x', leaf('1')]] }] }),
      sampleManifest({ uses: [{ op: 'bind', source: '/a*', entries: [['x', leaf('2')]] }] }),
      ['~ a*/x'],
    ],
    [
      'another source for the same files',
      sampleManifest({ uses: [{ op: 'copy', source: '/src', entries: [['x', leaf('x')]] }] }),
      sampleManifest({ uses: [{ op: 'copy', source: '/', entries: [['src/x', leaf('x')]] }] }),
      ['~ order: the same things in another order'],
    ],
  ])('%s', (_, before, after, expected) => {
    expect(found(before, after)).toEqual(expected);
  });
});

describe('where the whole context counted on one side', () => {
  const then =
    '~ form: inputs → context: the whole context counted now, then only what was read: instructions and 1 of its files are not compared';
  const now =
    '~ form: context → inputs: the whole context counted then, now only what is read: instructions and 1 of its files are not compared';

  it('says so, and finds nothing else where nothing has changed', () => {
    expect(found(sampleManifest(), wholeManifest())).toEqual([then]);
    expect(found(wholeManifest(), sampleManifest())).toEqual([now]);
  });

  it('compares the files that are read, the images and the options', () => {
    const edited = wholeManifest({
      context: wholeManifest().context.map(([path, one]) => [path, path === 'src/b.ts' ? leaf('B') : one]),
      images: { 'alpine:3': digestOf('alpine'), 'node:22': digestOf('moved') },
      options: { ...wholeManifest().options, network: 'none', target: 'prod' },
      buildArgs: { BUILDKIT_SYNTAX: 'docker/dockerfile:1', GREETING: 'x' },
    });
    const moved = [`~ node:22: ${short('node')} → ${short('moved')}`];
    expect(found(sampleManifest(), edited)).toEqual([then, '~ src/b.ts', ...moved, '+ network: none']);
    const back = [`~ node:22: ${short('moved')} → ${short('node')}`];
    expect(found(edited, sampleManifest())).toEqual([now, '~ src/b.ts', ...back, '- network: none']);
  });

  it('looks for what a glob took by its content, since its path is not known', () => {
    const globbing = (text: string) =>
      sampleManifest({
        uses: [...sampleManifest().uses, { op: 'copy', source: '/*', entries: [['b.ts', leaf(text)]] }],
      });
    expect(found(globbing('b'), wholeManifest())).toEqual([then]);
    expect(found(globbing('B'), wholeManifest())).toEqual([then, '- *: b.ts']);
  });

  it('knows a file that is new, and one that is gone', () => {
    const less = wholeManifest({ context: wholeManifest().context.filter(([path]) => path !== 'src/a.ts') });
    expect(found(less, sampleManifest())).toEqual([now, '+ src/a.ts']);
    expect(found(sampleManifest(), less)).toEqual([then, '- src/a.ts']);
  });
});

describe('where the whole context counted on both sides', () => {
  const whole = wholeManifest();
  it.each<[string, Partial<InputManifest>, string[]]>([
    ['a file', { context: whole.context.slice(1) }, ['- README.md']],
    [
      'a file of a named context',
      { namedContexts: { ...whole.namedContexts, assets: { entries: [] } } },
      ['- logo.svg (context assets)'],
    ],
    [
      'a named context that is a directory no more',
      { namedContexts: { ...whole.namedContexts, assets: { source: 'https://x/y.git' } } },
      ['- logo.svg (context assets)', '~ assets: a directory → https://x/y.git'],
    ],
    [
      'an instruction',
      { dockerfile: [...(Array.isArray(whole.dockerfile) ? whole.dockerfile : []), 'USER node'] },
      ['+ USER node'],
    ],
    [
      'a Dockerfile that nobody can read',
      { dockerfile: { raw: digestOf('x') } },
      [`~ Dockerfile: instructions → ${short('x')}`],
    ],
    ['a build arg, however it is declared', { buildArgs: { ...whole.buildArgs, A: '1' } }, ['+ A: 1']],
    ['the target', { options: { ...whole.options, target: 'prod' } }, ['+ target: prod']],
  ])('%s is named', (_, parts, expected) => {
    expect(found(whole, { ...whole, ...parts })).toEqual(expected);
  });
});

const path = fc.stringMatching(/^[a-d]{1,2}(\/[a-d]{1,2}){0,2}$/);
const content = fc.oneof(fc.constantFrom(leaf('1'), leaf('2'), leaf('1', 'x')), fc.constant('@x'));
const entries = fc.array(fc.tuple(path, content), { maxLength: 6 });
const texts = fc.dictionary(fc.constantFrom('A', 'B', '__proto__', 'constructor'), fc.constantFrom('', '1', '2'));
const use = fc.record({
  op: fc.constantFrom('copy' as const, 'bind' as const),
  source: fc.constantFrom('/', '/a', '/a*', '/a/b'),
  entries,
});
const line = fc.constantFrom('FROM a', 'FROM b', 'ARG A=1', 'ARG A=2', 'ARG B', 'RUN x', 'RUN y', 'COPY . .', '');
const anyManifest: fc.Arbitrary<InputManifest> = fc.record({
  scheme: fc.constant(3 as const),
  form: fc.constantFrom('inputs' as const, 'context' as const),
  scope: fc.constantFrom('inputs' as const, 'manifests' as const),
  uses: fc.array(use, { maxLength: 3 }),
  targets: fc.array(
    fc.record({
      platform: fc.constantFrom('l/a', 'l/b'),
      instructions: fc.array(line, { maxLength: 8 }),
      uses: fc.constant([]),
    }),
    { maxLength: 2 },
  ),
  dockerfile: fc.oneof(fc.array(line, { maxLength: 4 }), fc.record({ raw: fc.constantFrom('1', '2') })),
  context: entries,
  namedContexts: fc.dictionary(
    fc.constantFrom('n', '__proto__'),
    fc.oneof(fc.record({ entries }), fc.record({ source: fc.constantFrom('x', 'y') })),
  ),
  images: fc.dictionary(fc.constantFrom('node', '__proto__'), fc.constantFrom(digestOf('1'), digestOf('2'))),
  buildArgs: texts,
  options: fc.dictionary(
    fc.constantFrom('network', 'labels', 'target'),
    fc.oneof(fc.constantFrom('', 'x'), fc.array(fc.constantFrom('', 'a=1', 'a=2', 'b'))),
  ),
  files: entries,
  salt: fc.constantFrom('', 'x'),
  unique: fc.constantFrom('', 'u'),
});

/** What a difference may be about when only this part of a manifest differs. */
const SUBJECTS: Readonly<Record<string, readonly string[]>> = {
  uses: ['file', 'rule'],
  targets: ['instruction', 'arg', 'rule'],
  dockerfile: ['instruction', 'arg', 'rule'],
  context: ['file', 'rule'],
  namedContexts: ['file', 'context', 'rule'],
  images: ['image'],
  buildArgs: ['arg'],
  options: ['option'],
  files: ['hash-file', 'rule'],
  scope: ['rule'],
  salt: ['rule'],
  unique: ['rule'],
};

describe('for any manifests', () => {
  it('what is the same has no difference', () => {
    fc.assert(
      fc.property(anyManifest, (manifest) => {
        expect(compareManifests(manifest, structuredClone(manifest))).toEqual([]);
      }),
    );
  });

  it('what differs in one part is reported, and nothing of another part', () => {
    const part = fc.constantFrom(...Object.keys(SUBJECTS));
    fc.assert(
      fc.property(anyManifest, anyManifest, part, (manifest, other, name) => {
        const after = { ...manifest, [name]: Reflect.get(other, name) };
        const differences = compareManifests(manifest, after);
        fc.pre(JSON.stringify(manifest) !== JSON.stringify(after));
        if (differences.length === 0) expect(after).toEqual(manifest);
        const subjects = new Set(differences.map(({ subject }) => subject));
        for (const subject of subjects) expect(SUBJECTS[name]).toContain(subject);
      }),
      { numRuns: 1000 },
    );
  });

  it('there and back again are the same differences, the other way round', () => {
    const turn = { added: 'removed', removed: 'added', changed: 'changed' } as const;
    fc.assert(
      fc.property(anyManifest, anyManifest, (before, after) => {
        const there = compareManifests(before, after).filter(
          ({ subject }) => subject === 'file' || subject === 'image',
        );
        const back = compareManifests(after, before).filter(({ subject }) => subject === 'file' || subject === 'image');
        const key = ({ name, where = '' }: { name: string; where?: string }, kind: string) =>
          `${kind} ${where} ${name}`;
        expect(there.map((one) => key(one, one.kind)).sort()).toEqual(
          back.map((one) => key(one, turn[one.kind])).sort(),
        );
      }),
    );
  });
});

it('a manifest of 100,000 files and as many instructions is compared in bounded time', () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `f${index}`);
  const manifest = (suffix: string) =>
    sampleManifest({
      uses: [{ op: 'copy', source: '/', entries: names.map((name) => [name, leaf(suffix)]) }],
      targets: [{ platform: 'linux/amd64', instructions: names.map((name) => `RUN ${name}${suffix}`), uses: [0] }],
    });
  expect(compareManifests(manifest('1'), manifest('2'))).toHaveLength(200_000);
});
