import { digestOf } from '../../src/core/digest.ts';
import type { Entry, InputManifest } from '../../src/core/input-manifest.ts';

/** The leaf of a file with this text. */
export function leaf(text: string, bit: 'x' | '-' = '-'): string {
  return `${digestOf(text).slice('sha256:'.length)}${bit}`;
}

/** What a build reads that reads nothing; `parts` stand in for its own. */
export function emptyManifest(parts: Partial<InputManifest> = {}): InputManifest {
  return {
    scheme: 3,
    form: 'inputs',
    scope: 'inputs',
    uses: [],
    targets: [],
    dockerfile: [],
    context: [],
    namedContexts: {},
    images: {},
    buildArgs: {},
    options: {},
    files: [],
    salt: '',
    unique: '',
    ...parts,
  };
}

/** What an ordinary build for two platforms reads; `parts` stand in for its own. */
export function sampleManifest(parts: Partial<InputManifest> = {}): InputManifest {
  const instructions = (platform: string) => [
    'FROM node:22',
    `ARG TARGETARCH=${platform.slice('linux/'.length)}`,
    'ARG GREETING=hello',
    'COPY package-lock.json ./',
    'RUN npm ci',
    'COPY src /app',
  ];
  const entries: readonly Entry[] = [
    ['a.ts', leaf('a')],
    ['b.ts', leaf('b')],
    ['link', '@a.ts'],
    ['run.sh', leaf('run', 'x')],
  ];
  return emptyManifest({
    uses: [
      { op: 'copy', source: '/package-lock.json', entries: [['/package-lock.json', leaf('lock')]] },
      { op: 'copy', source: '/src', entries },
      {
        op: 'bind',
        source: '/',
        entries: [
          ['package-lock.json', leaf('lock')],
          ['src/a.ts', leaf('a')],
        ],
      },
      { op: 'copy', context: 'assets', source: '/', entries: [['logo.svg', leaf('logo')]] },
    ],
    targets: ['linux/amd64', 'linux/arm64'].map((platform) => ({
      platform,
      instructions: instructions(platform),
      uses: [0, 1, 2, 3],
    })),
    namedContexts: { tools: { source: 'docker-image://alpine:3' } },
    images: { 'alpine:3': digestOf('alpine'), 'node:22': digestOf('node') },
    buildArgs: { BUILDKIT_SYNTAX: 'docker/dockerfile:1' },
    options: {
      target: '',
      platforms: ['linux/amd64', 'linux/arm64'],
      network: '',
      addHosts: ['db:10.0.0.1'],
      labels: ['team=web', 'tier=1'],
    },
    files: [['ci/version.txt', leaf('1')]],
    ...parts,
  });
}

/** The same build where the whole context counts. */
export function wholeManifest(parts: Partial<InputManifest> = {}): InputManifest {
  return sampleManifest({
    form: 'context',
    uses: [],
    targets: [],
    dockerfile: ['FROM node:22', 'ARG TARGETARCH', 'ARG GREETING=hello', 'COPY src /app'],
    context: [
      ['README.md', leaf('readme')],
      ['package-lock.json', leaf('lock')],
      ['src/a.ts', leaf('a')],
      ['src/b.ts', leaf('b')],
      ['src/link', '@a.ts'],
      ['src/run.sh', leaf('run', 'x')],
    ],
    namedContexts: {
      assets: { entries: [['logo.svg', leaf('logo')]] },
      tools: { source: 'docker-image://alpine:3' },
    },
    ...parts,
  });
}
