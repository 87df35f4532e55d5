import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findFileImages } from '../../../src/retention/protections/files.ts';
import { DIGEST, OTHER_DIGEST, openSite, type Site } from './surroundings.ts';

let site: Site;
beforeEach(() => {
  site = openSite();
});
afterEach(() => site.close());

/** Every tag and digest that the files protect, with who says so. */
function found(files: Readonly<Record<string, string>>): Readonly<Record<string, readonly string[]>> {
  site.write(files);
  const answer = findFileImages(site.request());
  if (answer.kind !== 'read') throw new Error(answer.reason);
  return Object.fromEntries(answer.protections.map(({ by, tags, digests }) => [by, [...tags, ...digests]]));
}

describe('images of the repository are found in', () => {
  it.each<readonly [string, Readonly<Record<string, string>>, Readonly<Record<string, readonly string[]>>]>([
    [
      'compose files',
      { 'compose.yml': 'services:\n  web:\n    image: ghcr.io/acme/app:1.2\n' },
      { 'compose.yml:3': ['1.2'] },
    ],
    [
      'compose files, with the defaults of variables',
      { 'docker-compose.prod.yaml': 'services: {web: {image: "${HUB:-ghcr.io}/acme/app:${TAG:-${OLD-1.3}}"}}' },
      { 'docker-compose.prod.yaml:1': ['1.3'] },
    ],
    [
      'compose files, with the variables of .env beside them',
      { 'a/compose.yml': 'services: {web: {image: "ghcr.io/acme/app:${TAG}"}}', 'a/.env': '# old\nTAG="1.4" # now\n' },
      { 'a/compose.yml:1': ['1.4'] },
    ],
    [
      'manifests of Kubernetes: containers, init containers, lists, several documents',
      {
        'k8s/all.yaml':
          'apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  spec:\n    initContainers:\n    - image: ghcr.io/acme/app:init\n---\n' +
          `apiVersion: v1\nkind: Pod\nspec: {ephemeralContainers: [{image: 'ghcr.io/acme/app:1.5@${DIGEST}'}]}\n`,
      },
      { 'k8s/all.yaml:7': ['init'], 'k8s/all.yaml:11': ['1.5', DIGEST] },
    ],
    [
      'manifests of Kubernetes in JSON',
      { 'pod.json': '{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"ghcr.io/acme/app:1"}]}}' },
      { 'pod.json:1': ['1'] },
    ],
    [
      'Kustomize',
      {
        'kustomization.yaml':
          'images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: 1.10\n- name: ghcr.io/acme/app\n' +
          `  digest: ${DIGEST}\n`,
      },
      { 'kustomization.yaml': ['1.10', DIGEST] },
    ],
    [
      "Helm's values, the tag as it is written",
      { 'values.yaml': 'image:\n  registry: ghcr.io\n  repository: acme/app\n  tag: 1.10\n  pullPolicy: Always\n' },
      { 'values.yaml': ['1.10'] },
    ],
    [
      "Helm's values whose registry stands elsewhere, with a digest",
      {
        'values.yaml': `global: {imageRegistry: ghcr.io}\nweb:\n  image: {repository: acme/app, digest: "${DIGEST}"}\n`,
      },
      { 'values.yaml': [DIGEST] },
    ],
    [
      "Helm's values without a tag: the chart's version of the application",
      {
        'c/values.yaml': 'image: {repository: ghcr.io/acme/app, tag: ""}',
        'c/Chart.yaml': 'name: c\nappVersion: "2.0.1"\n',
      },
      { 'c/values.yaml': ['latest', '2.0.1'] },
    ],
    [
      "Helm's values of an environment, which set the tag alone",
      {
        'charts/app/values.yaml': 'image: {repository: ghcr.io/acme/app, tag: dev}',
        'env/prod.yaml': 'image:\n  tag: 1.6\nredis:\n  tag: 7\n',
      },
      { 'charts/app/values.yaml': ['dev'], 'env/prod.yaml': ['1.6'] },
    ],
    [
      "Helm's values that are merged",
      { 'v.yaml': 'base: &b {repository: ghcr.io/acme/app, tag: 1}\nimage: {<<: *b, tag: 2}\n' },
      { 'v.yaml': ['2', '1'] },
    ],
    [
      'Terraform',
      {
        'infra/main.tf': 'resource "x" "y" {\n  image = "ghcr.io/acme/app:1.7"\n}\n',
        'a.tfvars': `i = "ghcr.io/acme/app@${DIGEST}"`,
      },
      { 'infra/main.tf:2': ['1.7'], 'a.tfvars:1': [DIGEST] },
    ],
    [
      'Dockerfiles, with the defaults of arguments',
      {
        Dockerfile:
          'ARG V=1.8\nFROM --platform=$BUILDPLATFORM ghcr.io/acme/app:${V} AS a\nCOPY --from=ghcr.io/acme/app:tools /a /a\n',
        'web.Dockerfile': 'FROM ghcr.io/acme/app\n',
      },
      { 'Dockerfile:2': ['1.8'], 'Dockerfile:3': ['tools'], 'web.Dockerfile:1': ['latest'] },
    ],
    [
      'workflows, actions and development containers',
      {
        '.github/workflows/ci.yml':
          'jobs:\n  a:\n    container: ghcr.io/acme/app\n    steps:\n    - uses: docker://ghcr.io/acme/app:1\n' +
          '    - run: docker run ghcr.io/${{ github.repository }}:2\n',
        '.devcontainer/devcontainer.json': '{\n  // ours\n  "image": "ghcr.io/acme/app"\n}\n',
      },
      {
        '.devcontainer/devcontainer.json:3': ['latest'],
        '.github/workflows/ci.yml:3': ['latest'],
        '.github/workflows/ci.yml:5': ['1'],
        '.github/workflows/ci.yml:6': ['2'],
      },
    ],
    [
      'files that cannot be parsed, by the word alone',
      { 'deploy.yaml': `image: {{ broken\n  - "ghcr.io/acme/app:1.9"\n\t]\nx: ghcr.io/acme/app@${OTHER_DIGEST}\n` },
      { 'deploy.yaml:2': ['1.9'], 'deploy.yaml:4': [OTHER_DIGEST] },
    ],
  ])('%s', (_, files, expected) => {
    expect(found(files)).toEqual(expected);
  });
});

describe('nothing is found in', () => {
  it.each<readonly [string, Readonly<Record<string, string>>]>([
    [
      'names that only look like it',
      { 'a.yml': 'image: ghcr.io/acme/app-web:1\nb: ghcr.io/acme/app/x:1\nc: xghcr.io/acme/app:1' },
    ],
    [
      'the same path in another registry',
      { 'a.yml': 'image: docker.io/acme/app:1\nb: evil.example/ghcr.io/acme/app:1' },
    ],
    ['where the image is pushed to', { '.github/workflows/ci.yml': 'with:\n  images: ghcr.io/acme/app\n' }],
    ['plans and reports in JSON', { 'plan.json': '{"deletions":["ghcr.io/acme/app:1"]}' }],
    [
      'packages of others',
      { 'node_modules/x/compose.yml': 'image: ghcr.io/acme/app:1', 'vendor/a.tf': 'ghcr.io/acme/app:1', 'a.txt': '' },
    ],
    ['text', { 'README.md': 'ghcr.io/acme/app:1' }],
  ])('%s', (_, files) => {
    expect(found(files)).toEqual({});
  });
});

describe('a hostile workspace', () => {
  it('may hold links in circles and links that lead out of it', () => {
    fs.symlinkSync('.', path.join(site.workspace, 'loop'));
    fs.symlinkSync('..', path.join(site.workspace, 'out'));
    fs.writeFileSync(path.join(site.workspace, '../secret.yml'), 'image: ghcr.io/acme/app:secret');
    fs.symlinkSync('../secret.yml', path.join(site.workspace, 'in.yml'));
    expect(found({ 'a.yml': 'image: ghcr.io/acme/app:1' })).toEqual({ 'a.yml:1': ['1'] });
  });

  it('may hold a billion laughs, aliases in circles and depths without end', () => {
    const laughs = ['a0: &a0 {repository: ghcr.io/acme/app, tag: 1}'];
    for (let i = 1; i < 40; i += 1) laughs.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(10)}]`);
    const tags = found({
      'laughs.yaml': `${laughs.join('\n')}\nimage: ghcr.io/acme/app:1`,
      'circle.yaml': 'a: &a\n  b: *a\n  image: {repository: ghcr.io/acme/app, tag: 2}\n',
      'deep.yaml': `image: ghcr.io/acme/app:3\nx: ${'['.repeat(200_000)}`,
      'keys.yaml': `image: {repository: ghcr.io/acme/app, tag: 5}\nx:\n  ${'- - ? '.repeat(300)}\ny: ${'{'.repeat(900)}`,
      'anchors.yaml': `# ghcr.io/acme/app:4\n${Array.from({ length: 30_000 }, (__, i) => `k${i}: &a${i} x\nl${i}: *a${i}`).join('\n')}`,
    });
    expect(tags).toMatchObject({
      'laughs.yaml:41': ['1'],
      'circle.yaml': ['2'],
      'deep.yaml:1': ['3'],
      'anchors.yaml:1': ['4'],
    });
  });

  it('may hold a YAML file of a megabyte, and a larger one is not read, which is said', () => {
    const line = 'image: ghcr.io/acme/app:1\n';
    site.write({ 'big.yaml': line.repeat(40_000), 'bigger.yaml': line.repeat(41_000) });
    const answer = findFileImages(site.request());
    expect(answer).toMatchObject({ notices: [expect.stringContaining('bigger.yaml is larger than 1 MiB')] });
    expect(answer.kind === 'read' && answer.protections).toEqual([{ by: 'big.yaml:1', tags: ['1'], digests: [] }]);
  });

  it.each<readonly [string, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'empty lines only, as variables of a compose file',
      { 'c.yml': 'image: ghcr.io/acme/app:1 $X', '.env': '\n'.repeat(900_000) },
      ['c.yml:1'],
    ],
    [
      'one word again and again, as JSON',
      { 'a.json': `ghcr.io/acme/app:1 ${'"apiVersion"'.repeat(80_000)}`, 'b.yml': 'image: ghcr.io/acme/app:1' },
      ['b.yml:1'],
    ],
  ])('may hold %s, without a minute passing', (_, files, places) => {
    expect(Object.keys(found(files))).toEqual(places);
  });

  it('may have names that write to the terminal', () => {
    expect(Object.keys(found({ 'a\u001b[31m\n.yml': 'image: ghcr.io/acme/app:1' }))).toEqual(['a .yml:1']);
  });
});

it('says where a tag is made of something that no file says', () => {
  site.write({
    'main.tf': 'image = "ghcr.io/acme/app:${var.tag}"',
    'c.yml': 'image: ghcr.io/acme/app:${TAG}',
    'x.yml': 'a: b\nimage: ghcr.io/acme/app:v{{ .Tag }}',
  });
  expect(findFileImages(site.request())).toEqual({
    kind: 'read',
    protections: [],
    notices: [expect.stringMatching(/ghcr\.io\/acme\/app .*: c\.yml:1, main\.tf:1, x\.yml:2$/)],
  });
});

it('reads the short names of Docker Hub', () => {
  site.write({ 'compose.yml': 'image: acme/app:1\n# docker.io/acme/app:2\n# myhub.example/acme/app:3\n' });
  const answer = findFileImages(site.request({ repository: { registry: 'docker.io', path: 'acme/app' } }));
  expect(answer.kind === 'read' && answer.protections.map(({ tags }) => tags)).toEqual([['1'], ['2']]);
});

it('is not there where nothing was checked out', () => {
  expect(findFileImages(site.request())).toMatchObject({ kind: 'absent', hint: expect.stringContaining('checkout') });
});
