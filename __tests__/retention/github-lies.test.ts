import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { GhcrPackage } from '../../src/retention/ghcr-package.ts';
import { listPackages } from '../../src/retention/ghcr-packages.ts';
import { removeVersion } from '../../src/retention/ghcr-removal.ts';
import type { GitHubAnswer, GitHubApi } from '../../src/retention/github-api.ts';

const DIGEST = digestOf('an image');
const VERSION = { id: 7, name: DIGEST, metadata: { container: { tags: ['1.0'] } } };

/** Answers by the method and path of a request. */
function lying(answer: (request: string) => Partial<GitHubAnswer>): GitHubApi {
  return {
    async send({ method, path }) {
      return { status: 200, header: () => undefined, json: undefined, dateMs: 0, ...answer(`${method} ${path}`) };
    },
    allowance: () => undefined,
  };
}

function packageOf(answer: (request: string) => Partial<GitHubAnswer>): GhcrPackage {
  return new GhcrPackage({ registry: 'ghcr.io', path: 'acme/app' }, lying(answer));
}

test.each([200, 206, 302])(
  'a deletion that is answered %i, as by a proxy, is none while the version is there',
  async (status) => {
    const one = packageOf((request) => {
      if (request.startsWith('DELETE')) return { status };
      return { json: request.endsWith('/7') ? VERSION : { version_count: 1 } };
    });
    const removal = await removeVersion(one, { id: '7', digest: DIGEST, tags: ['1.0'] });
    expect(removal).toEqual({
      outcome: 'refused',
      reason: `GitHub answered ${status}, but the version is there`,
      isFinal: false,
    });
  },
);

test.each([1e15, -1, 1.5, 6_000_000])('a package that has %d versions is no answer', async (versionCount) => {
  const one = packageOf(() => ({ json: { version_count: versionCount } }));
  await expect(one.facts()).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
});

test('a list of packages that does not come to an end is an error', async () => {
  const header = (name: string): string | undefined => (name === 'link' ? '<x>; rel="next"' : undefined);
  const api = lying(() => ({ json: [{ name: 'app' }], header }));
  await expect(listPackages(api, 'acme')).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
});
