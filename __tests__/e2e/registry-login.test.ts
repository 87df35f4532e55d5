import { randomUUID } from 'node:crypto';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { openRegistries, type RegistryRepository } from '../../src/registry/open.ts';
import { all, pushImage, sampleImage } from '../registry/sample-image.ts';

const toolchain = inject('toolchain');

describe.skipIf(!toolchain.layers.registry)('a real registry that asks for a login', () => {
  const open = (password: string): RegistryRepository => {
    const { host, username } = toolchain.authRegistry;
    const explicit = { registry: host, username, password };
    const registries = openRegistries({ env: { DOCKER_CONFIG: '/nonexistent' }, explicit });
    onTestFinished(() => registries.close());
    return registries.open({ registry: host, path: `login/${randomUUID()}` }, 'push');
  };

  test('takes images and gives them back', async () => {
    const repository = open(toolchain.authRegistry.password);
    await repository.checkPushAccess();
    const image = await pushImage(repository, sampleImage());
    await repository.tag(image, '1.2.3');
    expect(await repository.resolve({ tag: '1.2.3' })).toEqual(image);
    expect(await all(repository.tags())).toEqual(['1.2.3']);
  });

  test('refuses the wrong password with a hint', async () => {
    await expect(open('wrong').checkPushAccess()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      status: 401,
      hint: expect.stringContaining(`Log in to ${toolchain.authRegistry.host}`),
    });
  });
});
