import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attestationsOf } from '../src/attestations.ts';
import { MAX_PREDICATE_BYTES } from '../src/core/attestations.ts';
import { digestOf } from '../src/core/digest.ts';
import { textAt, valueAt } from '../src/core/json.ts';
import { type AttestedRun, openAttestedRun, type RunPlan } from './support/attested-run.ts';
import { sbomStatement, spdx } from './support/sbom-image.ts';
import { openRegistry } from './support/signing.ts';
import { leakyReport, trivyReport } from './support/trivy-reports.ts';
import { workflowEnv } from './support/workflow-env.ts';

const PROVENANCE = 'https://slsa.dev/provenance/v1';
const INPUTS = 'https://build-once.dev/attestation/inputs/v1';
const REUSE = 'https://build-once.dev/attestation/reuse/v1';
const SCAN = 'https://cosign.sigstore.dev/attestation/vuln/v1';
const SBOM = 'https://spdx.dev/Document';
const REPORT: unknown = JSON.parse(trivyReport('languages'));

async function open(plan?: RunPlan): Promise<AttestedRun> {
  return openAttestedRun((await openRegistry()).host, plan);
}

/** The subjects by what is said of them. */
async function attestedBy({ run, image }: AttestedRun): Promise<readonly (readonly [string, string])[]> {
  return (await attestationsOf(run, image)).map(({ predicateType, subject }) => [predicateType, subject.digest]);
}

describe('what is attested', () => {
  it('of an image that was built is its origin, its inputs, its SBOM and its scan', async () => {
    const opened = await open({ inputs: { sbom: 'true' }, report: REPORT, version: '1.2.3' });
    const [index, platform] = [opened.image.descriptor.digest, opened.platform.digest];
    expect(await attestedBy(opened)).toEqual([
      [PROVENANCE, index],
      [INPUTS, index],
      [SBOM, platform],
      [SCAN, platform],
    ]);
  });

  it('of an image that was there is what this run found out, and which release it is', async () => {
    const opened = await open({ isBuilt: false, inputs: { sbom: 'true' }, report: REPORT, version: '1.2.3' });
    expect(await attestedBy(opened)).toEqual([
      [REUSE, opened.image.descriptor.digest],
      [SCAN, opened.platform.digest],
    ]);
  });

  it('of an image that was there is nothing when it is not released and its scan was kept', async () => {
    expect(await attestedBy(await open({ isBuilt: false }))).toEqual([]);
  });

  it('of an image that another run built meanwhile is not the origin', async () => {
    const [own, other] = [await open(), await open()];
    expect(await attestationsOf(own.run, other.image)).toEqual([]);
  });

  it('of a build is neither SBOM nor request where none was asked for', async () => {
    const registry = await openRegistry();
    const opened = await openAttestedRun(registry.host);
    registry.forgetRequests();
    expect((await attestedBy(opened)).map(([type]) => type)).toEqual([PROVENANCE, INPUTS]);
    expect(registry.requests).toEqual([]);
  });

  it.each([
    ['sbom', 'generator=scan.lan/x:1'],
    ['attests', 'type=sbom,generator=scan.lan/x:1'],
    ['attests', 'Type=SBOM'],
  ])('is the SBOM that the input %s asks for as %s', async (name, value) => {
    const types = (await attestedBy(await open({ inputs: { [name]: value } }))).map(([type]) => type);
    expect(types).toContain(SBOM);
  });

  it('is equal to itself when it is read back, so that it is not signed twice', async () => {
    const { run, image } = await open({ env: {}, inputs: { sbom: 'true' }, report: REPORT });
    for (const { predicate } of await attestationsOf(run, image)) {
      expect(JSON.parse(JSON.stringify(predicate))).toStrictEqual(predicate);
    }
  });

  it('names commits and images that the build was pinned to', async () => {
    const commit = 'fedcba9876543210fedcba9876543210fedcba98';
    const contexts = ['assets', 'unread'].map((name) => `${name}=https://github.com/acme/${name}.git#${commit}`);
    const { run, image, inputs } = await open({
      inputs: { 'build-contexts': contexts.join('\n') },
      hash: { pins: [{ reference: 'node:22', registry: 'docker.io', digest: digestOf('node') }] },
      parts: { git: { main: undefined, secrets: [] } },
    });
    const manifest = { ...inputs.manifest, namedContexts: { assets: { source: 'x' } } };
    const hash = run.results.hash && { ...run.results.hash, manifest };
    const read = { ...run, results: { ...run.results, ...(hash && { hash }) } };
    const [provenance] = await attestationsOf(read, image);
    expect(valueAt(provenance?.predicate, 'buildDefinition', 'resolvedDependencies')).toEqual([
      expect.objectContaining({ uri: 'git+https://github.com/acme/app@refs/tags/v1.2.3' }),
      expect.objectContaining({ name: 'inputs', digest: { sha256: inputs.hash } }),
      { uri: 'pkg:docker/node@22', digest: { sha256: digestOf('node').slice('sha256:'.length) } },
      { uri: 'git+https://github.com/acme/assets.git', digest: { gitCommit: commit } },
    ]);
  });

  it('says the tags and the version of a release', async () => {
    const { run, image } = await open({ isBuilt: false, version: '1.2.3' });
    expect(await attestationsOf(run, image)).toMatchObject([
      { predicate: { version: '1.2.3', tags: ['1.2.3', '1.2', '1', 'latest'], ref: 'refs/tags/v1.2.3' } },
    ]);
  });
});

describe('what is too large to be attested', () => {
  it('is left out with a notice: a report', async () => {
    const [result] = [{ Target: 'x', Vulnerabilities: Array.from({ length: 3 }, () => ({ Description: 'ä' })) }];
    const big = { SchemaVersion: 2, ArtifactName: 'x', Results: Array.from({ length: 150_000 }, () => result) };
    const { run, image, lines } = await open({ isBuilt: false, report: big });
    expect(await attestationsOf(run, image)).toEqual([]);
    expect(lines.join('\n')).toMatch(
      /not attested: \S+vuln\/v1 of sha256:\S+ has \d+ bytes, and 16777216 are the most/,
    );
  });

  it('is left out with a notice: an SBOM', async () => {
    const content = Buffer.alloc(MAX_PREDICATE_BYTES + 1, 32);
    const opened = await open({ inputs: { sbom: 'true' }, sbom: { content } });
    expect((await attestedBy(opened)).map(([type]) => type)).toEqual([PROVENANCE, INPUTS]);
    expect(opened.lines.join('\n')).toMatch(/not attested: the SBOM sha256:\S+: larger than 16777216 bytes/);
  });
});

describe('nothing secret is attested', () => {
  it('whatever the inputs are that may hold secrets', async () => {
    const registry = await openRegistry();
    const marked = (name: string): string => `s3cr3t-${name}`;
    const plan: RunPlan = {
      env: workflowEnv({ GITHUB_TOKEN: marked('token'), ACTIONS_ID_TOKEN_REQUEST_TOKEN: marked('request') }),
      inputs: {
        password: marked('password'),
        username: 'me',
        'github-token': marked('github'),
        'build-args': `TOKEN=${marked('arg')}\nKEY=-----BEGIN\n${marked('line')}==`,
        secrets: `npm=${marked('secret')}`,
        'secret-envs': `aws=${marked('variable').replaceAll('-', '_')}`,
        'secret-files': `file=/run/${marked('file')}`,
        labels: `x=${marked('label')}`,
        annotations: `x=${marked('annotation')}`,
        'hash-salt': marked('salt'),
        ssh: `default=/run/${marked('agent')}`,
        'add-hosts': `db:${marked('host')}`,
        'sign-key-password': marked('key'),
        sbom: 'true',
      },
      report: leakyReport('secrets').report,
    };
    const { run, image } = await openAttestedRun(registry.host, plan);
    const text = JSON.stringify(await attestationsOf(run, image));
    expect(text).not.toContain('s3cr3t');
    expect(text).not.toContain(leakyReport('secrets').token);
    expect(textAt(JSON.parse(text), '0', 'predicateType')).toBe(PROVENANCE);
    expect(valueAt(JSON.parse(text), '0', 'predicate', 'buildDefinition', 'internalParameters', 'build')).toEqual({
      platforms: ['linux/amd64'],
      secrets: ['npm', 'aws', 'file'],
    });
  });

  it('of variables that are not named in the documentation', async () => {
    const { host } = await openRegistry();
    const known = Object.keys(workflowEnv());
    const other = fc.stringMatching(/^[A-Z_]{1,20}$/).filter((name) => !known.includes(name));
    await fc.assert(
      fc.asyncProperty(other, async (name) => {
        const { run, image } = await openAttestedRun(host, { env: workflowEnv({ [name]: 's3cr3t' }) });
        expect(JSON.stringify(await attestationsOf(run, image))).not.toContain('s3cr3t');
      }),
      { numRuns: 20 },
    );
  });
});

describe('a hostile builder', () => {
  it('stops nothing, and prints nothing that a terminal obeys', async () => {
    const content = sbomStatement(digestOf('other'), ['\u001b[31m']);
    const opened = await open({ inputs: { sbom: 'true' }, sbom: { content } });
    expect((await attestedBy(opened)).map(([type]) => type)).toEqual([PROVENANCE, INPUTS]);
    expect(opened.lines.join('\n')).not.toContain('\u001b');
  });

  it('is taken at its word for what is in the image', async () => {
    const { run, image } = await open({ inputs: { sbom: 'true' } });
    expect((await attestationsOf(run, image)).at(-1)).toMatchObject({ predicate: spdx(['package-0']) });
  });
});
