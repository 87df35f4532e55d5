import { describe, expect, it } from 'vitest';
import { forwardedArgs } from '../src/forwarded-args.ts';
import type { Files } from '../src/host.ts';
import { posixFiles, windowsFiles } from './support/windows-files.ts';

const proxies = (name: string) => JSON.stringify({ proxies: { [name]: { httpProxy: 'http://proxy' } } });

function proxyOf(files: Files, env: Readonly<Record<string, string>>): string | undefined {
  return forwardedArgs({ env, files, cwd: files.resolve('.') }).get('HTTP_PROXY');
}

describe('the proxy of Docker’s configuration', () => {
  it.each<[string, string, (tree: Parameters<typeof posixFiles>[0]) => Files]>([
    ['Linux', 'unix:///var/run/docker.sock', posixFiles],
    ['Windows', 'npipe:////./pipe/docker_engine', (tree) => windowsFiles(tree)],
  ])('on %s is that of the engine %s when no other is named', (_, engine, filesOf) => {
    const files = filesOf({ 'docker/config.json': { kind: 'file', text: proxies(engine) } });
    expect(proxyOf(files, { DOCKER_CONFIG: 'docker' })).toBe('http://proxy');
    expect(proxyOf(files, { DOCKER_CONFIG: 'docker', DOCKER_HOST: 'tcp://far' })).toBeUndefined();
  });

  it('is none where the configuration may not be read: whoever needs it says so', () => {
    const files = posixFiles({ 'docker/config.json': { kind: 'file', text: proxies('default') } });
    const refusing: Files = {
      ...files,
      readText() {
        throw Object.assign(new Error('no'), { code: 'EACCES' });
      },
    };
    expect(proxyOf(files, { DOCKER_CONFIG: 'docker' })).toBe('http://proxy');
    expect(proxyOf(refusing, { DOCKER_CONFIG: 'docker' })).toBeUndefined();
  });

  it('is never that of a folder in the workspace, also where nobody has a home', () => {
    const files = posixFiles({ '.docker/config.json': { kind: 'file', text: proxies('default') } });
    expect(proxyOf(files, { HOME: '' })).toBeUndefined();
  });

  it('stands in both spellings, and is none where the configuration is not JSON', () => {
    const argsOf = (text: string) => {
      const files = posixFiles({ 'docker/config.json': { kind: 'file', text } });
      return forwardedArgs({ env: { DOCKER_CONFIG: 'docker' }, files, cwd: files.resolve('.') });
    };
    expect([...argsOf(proxies('default'))]).toEqual([
      ['HTTP_PROXY', 'http://proxy'],
      ['http_proxy', 'http://proxy'],
    ]);
    expect([...argsOf('{')]).toEqual([]);
  });
});
