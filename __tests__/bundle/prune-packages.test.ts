import { describe, expect, it } from 'vitest';
import { IMAGE, OWN_TOKEN, openPruneScene } from '../support/prune-scene.ts';

const DAY_MS = 86_400_000;

describe('a name with *', () => {
  const packages = { app: {}, api: {}, worker: {} };

  it('case 54: stands for the packages that are there, and the plan lists each of them', async () => {
    const scene = await openPruneScene({ packages, versions: 8 });
    const result = await scene.cli(['prune', '--images=ghcr.io/acme/*', '--retention=*: keep 3', '--json']);
    expect(result).toMatchObject({ status: 0 });
    const { prune } = JSON.parse(result.stdout);
    const names = prune.repositories.map((one: { name: string }) => one.name);
    expect(names.toSorted()).toEqual(['ghcr.io/acme/api', 'ghcr.io/acme/app', 'ghcr.io/acme/worker']);
    const some = await scene.cli(['prune', '--images=ghcr.io/acme/a*', '--retention=*: keep 3']);
    expect(some.stdout).toContain('ghcr.io/acme/api: 1 image to delete, 3 to keep');
    expect(some.stdout).not.toContain('worker');
    const none = await scene.cli(['prune', '--images=ghcr.io/acme/x*', '--retention=*: keep 3', '--apply']);
    expect(none).toMatchObject({ status: 0 });
    expect(none.stderr).toContain('warning: "ghcr.io/acme/x*" stands for 0 repositories');
  });

  it('case 54: one package that fails keeps no other from being pruned, and the run fails', async () => {
    const scene = await openPruneScene({
      packages,
      versions: 8,
      faults: [{ on: 'list', answer: 403, matches: (path) => path.includes('/container/api/') }],
    });
    const result = await scene.cli(['prune', '--images=ghcr.io/acme/*', '--retention=*: keep 3', '--apply']);
    expect(result.status).toBe(1);
    expect(result.stdout).toMatch(/^ghcr\.io\/acme\/api: /m);
    expect(result.stdout).toContain('ghcr.io/acme/app: 1 image to delete, 3 to keep');
    expect([scene.images('api'), scene.images('app'), scene.images('worker')].map(({ length }) => length)).toEqual([
      4, 3, 3,
    ]);
  });

  it('has a policy for each image where the rules say so', async () => {
    const scene = await openPruneScene({ packages, versions: 8, stepMinutes: 130 });
    const retention = [
      'images:',
      '  ghcr.io/acme/app: { rules: [{ match: "*", keep: 1 }] }',
      '  ghcr.io/acme/api: { rules: [{ match: "*", keep: 3 }] }',
    ].join('\n');
    const result = await scene.cli(['prune', '--images=ghcr.io/acme/*', `--retention=${retention}`]);
    expect(result).toMatchObject({ status: 0, stderr: expect.stringContaining('acme/worker: retention has no rule') });
    expect(result.stdout).toContain('ghcr.io/acme/app: 3 images to delete, 1 to keep');
    expect(result.stdout).toContain('ghcr.io/acme/api: 1 image to delete, 3 to keep');
    expect(result.stdout).not.toContain('worker');
  });
});

describe('a package', () => {
  it('case 55: that is not there is told apart from one that the token may not see or not delete from', async () => {
    const scene = await openPruneScene({ packages: { app: {}, secret: { access: 'none' } }, versions: 8 });
    const prune = (name: string) =>
      scene.cli(['prune', `--images=ghcr.io/acme/${name}`, '--retention=*: keep 1', '--apply']);
    const [absent, forbidden] = [await prune('nothing'), await prune('secret')];
    expect([absent.status, forbidden.status]).toEqual([1, 1]);
    expect(absent.stderr).toContain('REPOSITORY_UNKNOWN: ghcr.io/acme/nothing');
    expect(forbidden.stderr).toContain('GITHUB_REFUSED: ghcr.io/acme/secret');
    expect(forbidden.stderr).toContain('packages: read');
    expect(scene.writes()).toEqual([]);
  });

  it('case 55: that the token may only write to stays, and the message says which role is missing', async () => {
    const scene = await openPruneScene({ versions: 8, access: 'write' });
    const result = await scene.prune('*: keep 3', '--apply');
    expect(result.status).toBe(1);
    expect(result.stdout + result.stderr).toMatch(/Admin/);
    expect(scene.images()).toHaveLength(4);
  });

  it.each([
    ['of an organization', { ownerType: 'Organization', visibility: 'private' }, IMAGE],
    ['of a user', { ownerType: 'User', visibility: 'private' }, IMAGE],
    ['that is public', { ownerType: 'User', visibility: 'public' }, IMAGE],
    ['of a GitHub Enterprise Server', { server: 'ghes.example' }, 'containers.ghes.example/acme/app'],
  ] as const)('case 56: %s is pruned and restored', async (_, options, image) => {
    const scene = await openPruneScene({ versions: 8, ...options });
    const before = scene.images();
    const result = await scene.cli(['prune', `--images=${image}`, '--retention=*: keep 3', '--apply', '--json']);
    expect(result).toMatchObject({ status: 0 });
    expect(scene.images()).toEqual(before.slice(1));
    const undone = await scene.cli(['undo', JSON.parse(result.stdout).prune.journal]);
    expect(undone).toMatchObject({ status: 0 });
    expect(scene.images()).toEqual(before);
  });

  it('case 57: with a slash in its name, of an owner who writes it with capitals', async () => {
    const scene = await openPruneScene({ owner: 'Acme', packages: { 'a/b': {} }, versions: 8 });
    const result = await scene.cli(['prune', '--images=ghcr.io/acme/a/b', '--retention=*: keep 3', '--apply']);
    expect(result).toMatchObject({ status: 0 });
    expect(scene.images('a/b')).toHaveLength(3);
    expect(scene.ghcr.requests.some(({ path }) => path.includes('/container/a%2Fb/'))).toBe(true);
  });

  it('case 59: is as old as GitHub says, when the clock of this machine is two days ahead', async () => {
    const now = (): number => Date.now() - 2 * DAY_MS;
    const scene = await openPruneScene({ versions: 12, stepMinutes: 24 * 60, now });
    // Made 6, 5, 4, 3, 2 and 1 days before GitHub's now.
    const result = await scene.prune('*: for 84h');
    expect(result.stdout).toContain('3 images to delete, 3 to keep');
    expect(result.stderr).toMatch(/the clock of this machine is 2 d from that of ghcr\.io\/acme\/app/);
  });

  it('is an error without a token, which says how a person and how a workflow gives one', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.cli(['prune', `--images=${IMAGE}`, '--retention=10'], {
      env: { DOCKER_CONFIG: scene.workspace },
    });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain('there is no token for GitHub');
    expect(result.stderr).toContain('docker login ghcr.io');
    expect(result.stderr).not.toContain(OWN_TOKEN);
  });
});
