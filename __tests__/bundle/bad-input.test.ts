import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';

let registry: RunningRegistry;
let workspace: string;
beforeAll(async () => {
  registry = await startRegistry();
  workspace = mkdtempSync(join(tmpdir(), 'build-once-bad-'));
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
});
afterAll(async () => {
  await registry.close();
  rmSync(workspace, { recursive: true });
});
beforeEach(() => registry.forgetRequests());

/** Input, value, and what the message must say. */
const BAD: readonly (readonly [input: string, value: string, message: RegExp])[] = [
  ['platfroms', 'linux/amd64', /platfroms.*did you mean platforms/],
  ['platforms', 'linux/amd46', /platforms: "linux\/amd46" is not a platform.*linux\/arm\/v7/],
  ['platforms', 'windows/amd64', /platforms: .*Windows containers are not supported/],
  ['images', 'ghcr.io/Acme/App', /images: "ghcr\.io\/Acme\/App" is not a repository name: upper-case/],
  ['images', 'ghcr.io/acme/app:1.0', /images: "ghcr\.io\/acme\/app:1\.0" carries a tag/],
  ['images', 'ghcr.io//app', /images: .*is not a repository name/],
  ['images', 'myapp', /images: "myapp" names no registry: ghcr\.io\/OWNER\/myapp.*push: false with load: true/],
  ['forbid-tags', 'latest', /tags: the tag "latest" is forbidden by "latest" in forbid-tags/],
  ['file', 'Dockerfile.missing', /file: there is no Dockerfile at "Dockerfile\.missing"/],
  ['context', 'missing', /context: "missing": there is no such directory/],
  ['secrets', 'no-equals-sign', /secrets: .*ID=VALUE is allowed/],
  ['max-age', '3 fortnights', /max-age: "3 fortnights" is not a duration.*30d/],
  ['push', 'maybe', /push: "maybe" is neither true nor false/],
  ['cache', 'ghaa', /cache: "ghaa" is not allowed: none, gha, registry.*did you mean gha/],
  ['tags', 'type=semvr,pattern={{version}}', /tags: .*did you mean semver/],
  ['version', 'one', /version: "one" is not a version/],
  ['username', 'someone', /password: is required/],
  ['registry-ca', 'missing.pem', /registry-ca: "missing\.pem" is not there/],
  ['registry-ca', 'Dockerfile', /registry-ca: "Dockerfile" holds no certificate in PEM form/],
  ['registry-insecure', 'http://registry.lan:5000/x', /registry-insecure: .*has a scheme: .*"registry\.lan:5000"/],
  ['hash-files', 'missing.lock', /hash-files: "missing\.lock" is not there/],
  ['trivy-version', '0.69.4', /trivy-version: 0\.69\.4 is one of the malicious releases.*GHSA-69fq-xp46-6x23/],
  ['scan-ignore-file', 'missing.yaml', /scan-ignore-file: "missing\.yaml" is not there: the path of a file is allowed/],
  ['scan-vex', 'repo\nmissing.json', /scan-vex: "missing\.json" is not there: a file, repo or oci is allowed/],
];

describe('bad input, before any request or write', () => {
  it.each(BAD)('%s: %s', async (input, value, message) => {
    const good = { images: `${registry.host}/t/app`, tags: input === 'forbid-tags' ? 'latest' : '' };
    const undeclared = input === 'platfroms' ? { [input]: value } : {};
    const scan = input.startsWith('scan-') ? { scan: 'true' } : {};
    const inputs = input === 'platfroms' ? good : { ...good, ...scan, [input]: value };
    const result = await runAction({ action: CHECKOUT, workspace, with: inputs, undeclared });
    expect(result.log).toMatch(message);
    expect(result).toMatchObject({ status: 'failure', exitCode: 2, outputs: {}, summary: '' });
    expect(registry.requests).toEqual([]);
  });

  it('names every problem at once', async () => {
    const result = await runAction({
      action: CHECKOUT,
      workspace,
      with: {
        images: 'ghcr.io/acme/app:1.0,ghcr.io/Other/App',
        platforms: 'linux/amd46',
        tags: 'latest',
        'forbid-tags': 'latest',
        context: 'missing',
        file: 'Dockerfile.missing',
        secrets: 'hunter2-without-id',
        'max-age': 'soon',
        scan: 'true',
        'scan-fail-on': 'all',
        'scan-severity': 'SEVERE',
        'scan-budget': 'HIGH=many',
        'scan-ignore-file': 'missing.yaml',
        'scan-vex': 'missing.json',
        'trivy-version': '0.69.4',
        'trivy-download-url': 'https://me:hunter3@mirror.example/trivy',
      },
      undeclared: { platfroms: 'linux/amd64' },
    });
    expect(result.exitCode).toBe(2);
    const listed = ['images:', 'platforms:', 'forbid-tags', 'context:', 'file:', 'secrets:', 'max-age:', 'platfroms'];
    const ofScan = ['fail-on', 'severity', 'budget', 'ignore-file', 'vex'].map((name) => `scan-${name}:`);
    for (const input of [...listed, ...ofScan, 'trivy-version:', 'trivy-download-url:'])
      expect(result.log).toContain(input);
    expect(result.log).not.toMatch(/hunter[23]/);
    expect(registry.requests).toEqual([]);
  });

  it('says the same in the CLI, all at once, with exit code 2', async () => {
    const cli = (...args: string[]) =>
      run([join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), ...args], { cwd: workspace });
    const bad = await cli('build', '--images', 'ghcr.io/acme/app:1', '--platfroms=linux/amd64', '--max-age', 'soon');
    expect(bad).toMatchObject({ status: 2, stdout: '' });
    for (const said of ['did you mean --platforms', 'carries a tag', 'max-age: "soon"'])
      expect(bad.stderr).toContain(said);
    const none = await cli('scan', 'latest', '--scan-scanners=vulns', '--scan-vex=gone.json', '--scan=maybe');
    expect(none).toMatchObject({ status: 2, stdout: '' });
    for (const said of [
      'images: is required',
      'did you mean vuln?',
      'scan-vex: "gone.json" is not there',
      'scan: "maybe"',
    ])
      expect(none.stderr).toContain(said);
    expect(none.stderr).not.toContain('Dockerfile');
    expect(await cli('biuld')).toMatchObject({ status: 2, stderr: expect.stringContaining('did you mean build') });
    expect(await cli('build')).toMatchObject({ status: 2, stderr: expect.stringContaining('images: is required') });
  });

  it('looks for no file of the scan when nothing is scanned', async () => {
    const inputs = { images: `${registry.host}/t/app`, 'scan-ignore-file': 'missing', 'scan-vex': 'missing' };
    const result = await runAction({ action: CHECKOUT, workspace, with: { ...inputs, 'max-age': 'soon' } });
    expect(result.log).toContain('max-age:');
    expect(result.log).not.toContain('scan-');
  });

  it('takes the upper case of this GitHub repository, which is how its name is spelt', async () => {
    const result = await runAction({
      action: CHECKOUT,
      workspace,
      with: { images: `${registry.host}/Acme/App`, 'max-age': 'soon' },
      event: { repository: 'Acme/App' },
    });
    expect(result.log).not.toContain('images:');
  });
});
