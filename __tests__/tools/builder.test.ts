import { describe, expect, it } from 'vitest';
import {
  type BuilderDescription,
  type BuilderNeeds,
  buildkitConfig,
  createArguments,
  deliveryOf,
  findLacks,
  findMissingPlatforms,
  readInspectExtras,
} from '../../src/tools/builder.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };
const needs: BuilderNeeds = {
  platformCount: 2,
  runs: [amd64, arm64],
  pushTo: 'ghcr.io',
  registries: ['ghcr.io', 'docker.io'],
};
const private_ = (change: Partial<NonNullable<BuilderNeeds['access']>> = {}): BuilderNeeds => ({
  ...needs,
  access: { plain: [], authorityFile: '/work/my "own" ca.pem', proxies: {}, ...change },
});
const loopback: BuilderNeeds = { ...needs, pushTo: '127.0.0.1:5000', registries: ['127.0.0.1:5000'] };

function builder(
  change: Partial<BuilderDescription> & { endpoint?: string; options?: readonly string[] },
): BuilderDescription {
  const { endpoint = 'unix:///run/docker.sock', options = [], ...rest } = change;
  const features = new Map([
    ['OCI exporter', true],
    ['Multi-platform build', true],
  ]);
  const nodes = [{ endpoint, driverOptions: options }];
  return {
    name: 'b',
    driver: 'docker-container',
    nodes,
    platforms: [amd64, arm64],
    features,
    problem: undefined,
    ...rest,
  };
}

const classicStore = new Map([
  ['OCI exporter', false],
  ['Multi-platform build', false],
]);

describe('an image leaves', () => {
  it.each<[string, BuilderDescription, BuilderNeeds, ReturnType<typeof deliveryOf>]>([
    ['a container builder by push', builder({}), needs, 'push'],
    ['a remote builder by push', builder({ driver: 'remote', endpoint: 'tcp://buildkit.example:1234' }), needs, 'push'],
    ['a kubernetes builder by push', builder({ driver: 'kubernetes' }), needs, 'push'],
    ['any of them as a layout when nothing is pushed', builder({}), { ...needs, pushTo: undefined }, 'layout'],
    ['the docker driver as a layout', builder({ driver: 'docker' }), needs, 'layout'],
    [
      'the docker driver in no way without the containerd store',
      builder({ driver: 'docker', features: classicStore }),
      needs,
      undefined,
    ],
    [
      'the docker driver in no way when its features are unknown',
      builder({ driver: 'docker', features: new Map() }),
      needs,
      undefined,
    ],
    ['a container to a loopback registry as a layout', builder({}), loopback, 'layout'],
    [
      'a container on the host network to a loopback registry by push',
      builder({ options: ['network=host'] }),
      loopback,
      'push',
    ],
    [
      'a remote builder on this machine to a loopback registry by push',
      builder({ driver: 'remote' }),
      loopback,
      'push',
    ],
    ['the same over tcp', builder({ driver: 'remote', endpoint: 'tcp://127.0.0.1:1234' }), loopback, 'push'],
    [
      'a remote builder elsewhere to a loopback registry as a layout',
      builder({ driver: 'remote', endpoint: 'tcp://b.example:1' }),
      loopback,
      'layout',
    ],
    ['kubernetes to a loopback registry as a layout', builder({ driver: 'kubernetes' }), loopback, 'layout'],
    ['a container to a registry with an authority of its own as a layout', builder({}), private_(), 'layout'],
    ['a container to a registry on plain http as a layout', builder({}), private_({ plain: ['ghcr.io'] }), 'layout'],
    ['one that was made for the run by push', builder({ knowsAccess: true }), private_(), 'push'],
    [
      'a container to a registry that is not the one on plain http by push',
      builder({}),
      private_({ plain: ['registry.lan'], authorityFile: undefined }),
      'push',
    ],
  ])('%s', (_, description, wanted, delivery) => {
    expect(deliveryOf(description, wanted)).toBe(delivery);
  });
});

describe('a builder', () => {
  it('that can all that is asked lacks nothing', () => {
    expect(findLacks(builder({}), needs)).toEqual([]);
    expect(findMissingPlatforms(builder({}), needs)).toEqual([]);
  });

  it('without the containerd store says both that it lacks', () => {
    expect(findLacks(builder({ driver: 'docker', features: classicStore }), needs)).toEqual([
      expect.stringContaining('containerd image store'),
      expect.stringContaining('several platforms'),
    ]);
  });

  it('that is broken says why, in buildx words', () => {
    expect(findLacks(builder({ problem: 'Cannot connect' }), needs)).toEqual(['Cannot connect']);
  });

  it('names the platforms that it cannot run', () => {
    const armv7 = { os: 'linux', architecture: 'arm', variant: 'v7' };
    expect(findMissingPlatforms(builder({ platforms: [amd64] }), { ...needs, runs: [amd64, arm64, armv7] })).toEqual([
      arm64,
      armv7,
    ]);
  });

  it.each([
    ['linux/amd64', 'linux/amd64/v1', true],
    ['linux/amd64', 'linux/amd64/v2', false],
    ['linux/amd64/v3', 'linux/amd64/v2', true],
    ['linux/amd64/v3', 'linux/amd64', true],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm64', 'linux/arm64/v9', false],
    ['linux/arm64/v9', 'linux/arm64', true],
    ['linux/arm', 'linux/arm/v7', true],
    ['linux/arm/v7', 'linux/arm/v5', true],
    ['linux/arm/v6', 'linux/arm/v7', false],
    ['linux/arm64', 'linux/arm/v7', false],
    ['linux/amd64', 'freebsd/amd64', false],
    ['linux/riscv64', 'linux/riscv64', true],
  ])('that lists %s runs %s: %s', (listed, wanted, runs) => {
    const platforms = readInspectExtras(`Platforms: ${listed}\n`).platforms;
    const [asked] = readInspectExtras(`Platforms: ${wanted}\n`).platforms;
    const missing = findMissingPlatforms(builder({ platforms }), {
      ...needs,
      runs: asked === undefined ? [] : [asked],
    });
    expect(missing).toEqual(runs ? [] : [asked]);
  });

  it('that only copies files for a platform need not run it', () => {
    expect(findMissingPlatforms(builder({ platforms: [amd64] }), { ...needs, runs: [amd64] })).toEqual([]);
  });
});

describe('a builder made for the run', () => {
  it('has a network of its own', () => {
    expect(createArguments('x', needs)).toEqual(['create', '--name=x', '--driver=docker-container', '--bootstrap']);
  });

  it('goes through the proxies of this run', () => {
    const proxies = { HTTPS_PROXY: 'http://proxy.lan:3128', NO_PROXY: 'a.lan,b.lan' };
    expect(createArguments('x', private_({ proxies }), '/tmp/b.toml')).toEqual([
      'create',
      '--name=x',
      '--driver=docker-container',
      '--driver-opt=env.HTTPS_PROXY=http://proxy.lan:3128',
      '--driver-opt="env.NO_PROXY=a.lan,b.lan"',
      '--config=/tmp/b.toml',
      '--bootstrap',
    ]);
  });

  it('is told of authorities, and of registries on plain http', () => {
    expect(buildkitConfig(private_({ plain: ['docker.io'] }))).toBe(
      '[registry."ghcr.io"]\nca = ["/work/my \\"own\\" ca.pem"]\n[registry."docker.io"]\nhttp = true\n',
    );
  });

  it.each([
    ['nothing is given', needs],
    ['only others are on plain http', private_({ plain: ['registry.lan'], authorityFile: undefined })],
    ['all is on this machine', { ...private_(), registries: ['127.0.0.1:5000'] }],
  ])('needs no configuration when %s', (_, wanted) => {
    expect(buildkitConfig(wanted)).toBeUndefined();
  });

  it("shares the host's network to reach a loopback registry", () => {
    expect(createArguments('x', loopback)).toContain('--driver-opt=network=host');
  });
});

describe('the answer of buildx inspect', () => {
  const answer = (features: string): string =>
    `Name:          two\nDriver:        docker\n\nNodes:\nName:      one\nPlatforms: linux/arm64*, linux/amd64, linux/amd64/v3\nFeatures:\n OCI exporter: ${features}\nLabels:\n a.b.enabled: false\n`;

  it('tells true features from false ones', () => {
    expect([...readInspectExtras(answer('true')).features]).toEqual([['OCI exporter', true]]);
    expect([...readInspectExtras(answer('false')).features]).toEqual([['OCI exporter', false]]);
  });

  it('may say more blanks than a backtracking expression lives to see', () => {
    const answer = `Platforms: linux/arm64\r\nError:${' '.repeat(1_000_000)}y\rz\n`;
    expect(readInspectExtras(answer)).toMatchObject({ platforms: [arm64], problem: 'y\rz' });
  });

  it('has a feature only when every node has it', () => {
    expect(readInspectExtras(answer('false') + answer('true')).features.get('OCI exporter')).toBe(false);
    expect(readInspectExtras(answer('true') + answer('false')).features.get('OCI exporter')).toBe(false);
  });

  it('lists platforms beside the preferred one', () => {
    expect(readInspectExtras(answer('true')).platforms).toEqual([arm64, amd64, { ...amd64, variant: 'v3' }]);
  });

  it('carries the error of an engine that does not answer', () => {
    const extras = readInspectExtras(
      'Name:   default\nDriver: \nError:  Cannot connect to the Docker daemon at unix:///x. Is it running?\n',
    );
    expect(extras.problem).toBe('Cannot connect to the Docker daemon at unix:///x. Is it running?');
  });

  it.each(['', '\n\n:::\n', 'Features:\n : true\n', 'Platforms: ,,x/y*,'])('may be %j', (text) => {
    expect(readInspectExtras(text).platforms).toEqual([]);
  });
});
