import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type DockerfileProblem, joinProblems } from '../../src/core/dockerfile-problems.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import type { BuildCheckRequest } from '../../src/tools/build-check.ts';
import { openDocker } from '../../src/tools/docker-config.ts';
import { loadBuildCheck, loadTrivy } from '../../src/tools/load.ts';
import type { DockerfileCheck } from '../../src/tools/trivy-dockerfile.ts';
import { buildSettings } from '../tools/build-settings.ts';
import { Workshop, watchArguments } from './workshop.ts';

const toolchain = inject('toolchain');
const workshop = new Workshop(toolchain);
const { baseImage } = toolchain;
const NOT_LOOKED = 'docker buildx build --check did not look at the Dockerfile: ';

let host: Machine;
let printed: string[];
beforeEach(() => {
  printed = [];
  host = workshop.host((line) => printed.push(line));
});
afterEach(() => host.finish());
afterAll(() => workshop.remove());

/** `DS-0002 HIGH`, `JSONArgsRecommended:4`: in the order that they come. */
function inWords(problems: readonly DockerfileProblem[]): readonly string[] {
  return problems.map(({ rule, line, severity }) => {
    const at = line === undefined ? rule : `${rule}:${line}`;
    return severity === undefined ? at : `${at} ${severity}`;
  });
}

const CARELESS = `FROM ${baseImage}
ENV API_TOKEN=1234 \\
    DEBUG=1
WORKDIR app
MAINTAINER someone
ADD Dockerfile /Dockerfile
CMD echo "$API_TOKEN"
`;
const CAREFUL = `FROM ${baseImage}\nUSER 1000\nHEALTHCHECK NONE\nCMD ["sh"]\n`;

/** What buildx says of a Dockerfile. */
async function checkBuild(
  builder: string,
  dockerfile: string,
  change: Partial<BuildCheckRequest['settings']> = {},
): Promise<readonly DockerfileProblem[]> {
  const { checkBuild: check } = await loadBuildCheck();
  const context = workshop.contextOf({ Dockerfile: dockerfile });
  return check(openDocker(host, []), { settings: buildSettings({ context, ...change }), builder });
}

/** What is the same whatever the driver. */
function specify(builder: string): void {
  it('finds each problem once for both platforms, at its line', async () => {
    expect(inWords(await checkBuild(builder, CARELESS)).toSorted()).toEqual([
      'JSONArgsRecommended:7',
      'MaintainerDeprecated:5',
      'SecretsUsedInArgOrEnv:2',
      'WorkdirRelativePath:4',
    ]);
    expect(printed).toEqual([]);
  });

  it('finds nothing where there is nothing', async () => {
    expect(await checkBuild(builder, CAREFUL)).toEqual([]);
    expect(printed).toEqual([]);
  });

  it('looks at the target, with the build args and the contexts of the build', async () => {
    const dockerfile = `ARG BASE
FROM \${BASE} AS app
COPY --from=files Dockerfile /
FROM ${baseImage} AS other
WORKDIR rel
`;
    const files = workshop.contextOf({ Dockerfile: '' });
    const settings = {
      target: 'app',
      buildArgs: [`BASE=${baseImage}`],
      buildContexts: [{ name: 'files', value: files }],
    };
    expect(inWords(await checkBuild(builder, dockerfile, settings))).toEqual(['InvalidDefaultArgInFrom:2']);
    expect(printed).toEqual([]);
  });

  it('leaves out what the Dockerfile, or a build arg, says to skip', async () => {
    const skipping = `# check=skip=MaintainerDeprecated\n${CARELESS}`;
    expect(inWords(await checkBuild(builder, skipping))).not.toContain('MaintainerDeprecated:6');
    const all = { buildArgs: ['BUILDKIT_DOCKERFILE_CHECK=skip=all'] };
    expect(await checkBuild(builder, CARELESS, all)).toEqual([]);
  });

  it('answers what it found until something stopped it', async () => {
    const problems = await checkBuild(builder, `FROM ${baseImage}\nMAINTAINER me\nEXPOSE 70000\n`);
    expect(inWords(problems)).toEqual(['MaintainerDeprecated:2']);
    expect(printed).toEqual(['docker buildx build --check stopped: invalid containerPort: 70000']);
  });

  it('needs no secret, and shows none', async () => {
    const dockerfile = `FROM ${baseImage}\nRUN --mount=type=secret,id=token,required cat /run/secrets/token\n`;
    const secret = randomUUID();
    const watch = watchArguments();
    const settings = { secrets: [{ id: 'token', value: secret }] };
    expect(await checkBuild(builder, dockerfile, settings)).toEqual([]);
    expect(watch.stop()).not.toContain(secret);
    expect(printed).toEqual([]);
  });

  it('ends no run where the frontend checks nothing', async () => {
    expect(await checkBuild(builder, `# syntax=${baseImage}\n${CARELESS}`)).toEqual([]);
    expect(printed).toEqual([expect.stringContaining(NOT_LOOKED)]);
  });
}

describe.skipIf(!toolchain.layers.docker)('buildx, on the docker driver', () => {
  specify('default');

  it.each([
    ['a builder that is not there', `no-${randomUUID()}`, {}, 'no builder'],
    ['a Dockerfile that is not there', 'default', { file: '/no/Dockerfile' }, 'no such file or directory'],
  ])('ends no run for %s', async (_, builder, change, why) => {
    expect(await checkBuild(builder, CARELESS, change)).toEqual([]);
    expect(printed).toEqual([expect.stringContaining(NOT_LOOKED)]);
    expect(printed[0]).toContain(why);
  });
});

describe.skipIf(!toolchain.layers.buildkit)('buildx, on a docker-container builder', () => {
  const name = `check-${randomUUID()}`;
  beforeAll(async () => {
    const options = ['--driver=docker-container', '--driver-opt=network=host'];
    await workshop.docker('buildx', 'create', `--name=${name}`, ...options, '--bootstrap');
  });
  afterAll(async () => {
    await workshop.docker('buildx', 'rm', '--force', name);
  });

  specify(name);
});

describe.skipIf(!toolchain.layers.trivy)('Trivy', () => {
  async function check(file: string, text: string, ignoreFile?: string): Promise<readonly DockerfileProblem[]> {
    const { checkDockerfile, findTrivy } = await loadTrivy();
    const at = path.join(workshop.directory, file);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, text);
    const trivy = await findTrivy(host, { version: undefined, downloadUrl: undefined, transport: {} });
    const request: DockerfileCheck = { file: at, ignoreFile, timeoutMs: 120_000 };
    return checkDockerfile(trivy, request);
  }

  const found = [
    'DS-0002 HIGH',
    'DS-0026 LOW',
    'DS-0005:6 LOW',
    'DS-0009:4 HIGH',
    'DS-0022:5 HIGH',
    'DS-0031:2 CRITICAL',
  ];

  it.each(['Dockerfile', 'build/app.docker', 'dev/Containerfile', 'values.yaml', 'a,b "c"/Docker file'])(
    'finds in %j what is wrong, at its line',
    async (file) => {
      expect(inWords(await check(file, CARELESS)).toSorted()).toEqual(found.toSorted());
      expect(printed).toEqual([]);
    },
  );

  it('finds an image that has no version', async () => {
    expect(inWords(await check('latest', 'FROM busybox\nUSER 1\nHEALTHCHECK NONE\n'))).toEqual(['DS-0001:1 MEDIUM']);
  });

  it('finds nothing where there is nothing', async () => {
    expect(await check('careful', CAREFUL)).toEqual([]);
    expect(printed).toEqual([]);
  });

  it('says nothing that stands in the file', async () => {
    const text = `FROM a:1\nRUN cd /x && curl -H "Authorization: hunter2" https://a.example\n`;
    const problems = await check('quoting', text);
    expect(inWords(problems)).toContain('DS-0013:2 MEDIUM');
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  it('leaves out what the ignore file names at this path, and what a comment names', async () => {
    const ignoreFile = path.join(workshop.directory, 'ignored.yaml');
    const entries = '- id: DS-0022\n    paths: ["build/own.docker"]\n  - id: DS-0005\n    paths: ["Dockerfile"]\n';
    writeFileSync(ignoreFile, `misconfigurations:\n  ${entries}`);
    const text = CARELESS.replace('WORKDIR', '#trivy:ignore:DS-0009\nWORKDIR');
    const rules = (await check('build/own.docker', text, ignoreFile)).map(({ rule }) => rule);
    expect(rules.toSorted()).toEqual(['DS-0002', 'DS-0005', 'DS-0026', 'DS-0031']);
  });

  it.each(['FROM scratch\nNOTHING\n', ''])('ends no run for what is no Dockerfile: %j', async (text) => {
    expect(await check('broken', text)).toEqual([]);
    expect(printed).toEqual([
      expect.stringMatching(/^Trivy did not look at the Dockerfile: ".*broken" is no Dockerfile/),
    ]);
  });

  it.skipIf(!toolchain.layers.docker)('and buildx make one list', async () => {
    const problems = [...(await checkBuild('default', CARELESS)), ...(await check('one', CARELESS))];
    expect(inWords(joinProblems(problems, []))).toEqual([
      'DS-0002 HIGH',
      'DS-0026 LOW',
      'SecretsUsedInArgOrEnv:2 CRITICAL',
      'WorkdirRelativePath:4 HIGH',
      'MaintainerDeprecated:5 HIGH',
      'DS-0005:6 LOW',
      'JSONArgsRecommended:7',
    ]);
  });
});
