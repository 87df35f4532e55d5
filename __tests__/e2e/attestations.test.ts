import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { attestationsOf } from '../../src/attestations.ts';
import { readBuiltSboms } from '../../src/built-sboms.ts';
import { parseJson, textAt, valueAt } from '../../src/core/json.ts';
import { copyImage } from '../../src/registry/copy.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { chooseBuilder } from '../../src/tools/buildx.ts';
import { openDocker } from '../../src/tools/docker-config.ts';
import { attest } from '../../src/tools/sigstore.ts';
import { openAttestedRun } from '../support/attested-run.ts';
import { type ProgramResult, run as runProgram } from '../support/programs.ts';
import { spdx } from '../support/sbom-image.ts';
import { openRegistry, openSigning, openSigstore, type TestSigning } from '../support/signing.ts';
import { GITHUB_ISSUER, MAIN_JOB, subjectOf } from '../support/sigstore.ts';
import { trivyReport } from '../support/trivy-reports.ts';
import { Workshop } from './workshop.ts';

const toolchain = inject('toolchain');
const { layers } = toolchain;
const NAMES: Readonly<Record<string, string>> = {
  'https://slsa.dev/provenance/v1': 'slsaprovenance1',
  'https://cosign.sigstore.dev/attestation/vuln/v1': 'vuln',
  'https://spdx.dev/Document': 'spdxjson',
};

async function verify(signing: TestSigning, type: string, reference: string): Promise<ProgramResult> {
  const identity = [`--certificate-identity=${subjectOf(MAIN_JOB)}`, `--certificate-oidc-issuer=${GITHUB_ISSUER}`];
  const args = ['verify-attestation', `--type=${type}`, '--trusted-root=root.json', ...identity, reference];
  const env = { ...toolchain.env, ...signing.host.env };
  return runProgram(['cosign', ...args], { env, cwd: signing.directory });
}

/** What cosign says that the statement says. */
function predicateIn({ stdout }: ProgramResult): unknown {
  const payload = textAt(parseJson(stdout), 'payload') ?? '';
  return valueAt(parseJson(Buffer.from(payload, 'base64').toString()), 'predicate');
}

describe.skipIf(!layers.cosign)('real cosign 3', () => {
  it.each([
    [
      'of a build',
      { isBuilt: true },
      ['slsaprovenance1', 'https://build-once.dev/attestation/inputs/v1', 'spdxjson', 'vuln'],
    ],
    ['of a release', { isBuilt: false, version: '1.2.3' }, ['https://build-once.dev/attestation/reuse/v1', 'vuln']],
  ])(
    'verifies all that is attested %s, and reads the same in it',
    async (_, plan, expected) => {
      const [services, { host }] = await Promise.all([openSigstore(), openRegistry()]);
      const signing = await openSigning(services);
      const report: unknown = JSON.parse(trivyReport('secrets'));
      const { run, image, repository } = await openAttestedRun(host, { ...plan, report, inputs: { sbom: 'true' } });
      const seen: string[] = [];
      for (const { subject, predicateType, predicate } of await attestationsOf(run, image, subjectOf(MAIN_JOB))) {
        const place = { repository, image: subject };
        expect(await attest(signing, place, { predicateType, predicate })).toMatchObject({ isNew: true });
        expect(await attest(signing, place, { predicateType, predicate })).toMatchObject({ isNew: false });
        const type = NAMES[predicateType] ?? predicateType;
        const verified = await verify(signing, type, `${host}/${repository.name.path}@${subject.digest}`);
        expect(verified).toMatchObject({ status: 0 });
        expect(predicateIn(verified)).toEqual(predicate);
        seen.push(type);
      }
      expect(seen).toEqual(expected);
    },
    60_000,
  );
});

describe.skipIf(!layers.docker)('an image that buildx builds with an SBOM', () => {
  const workshop = new Workshop(toolchain);
  const name = `e2e-${randomUUID()}`;
  beforeAll(async () => {
    if (!layers.buildkit) return;
    const options = ['--driver=docker-container', '--driver-opt=network=host', '--bootstrap'];
    await workshop.docker('buildx', 'create', `--name=${name}`, ...options);
  });
  afterAll(async () => {
    if (layers.buildkit) await workshop.docker('buildx', 'rm', '--force', name);
    workshop.remove();
  });
  const { registry } = toolchain;
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));

  /** A program that finds the same in every image. */
  async function pushGenerator(): Promise<string> {
    const reference = `${registry}/scanner/${randomUUID()}:1`;
    const predicateType = 'https://spdx.dev/Document';
    const statement = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, predicate: spdx(['busybox']) };
    const context = workshop.contextOf({
      Dockerfile: `FROM ${toolchain.baseImage}\nCOPY scan sbom.json /\nENTRYPOINT ["/bin/busybox", "sh", "/scan"]\n`,
      scan: 'cat /sbom.json >"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"\n',
      'sbom.json': JSON.stringify(statement),
    });
    const files = [`--tag=${reference}`, context];
    await workshop.docker('buildx', 'build', '--builder=default', '--provenance=false', '--push', ...files);
    return reference;
  }

  const builders = [
    ['the docker driver', undefined],
    ...(layers.buildkit ? [['a docker-container builder', name] as const] : []),
  ] as const;
  it.skipIf(!layers.cosign).each(builders)(
    'by %s has one for each platform, which cosign finds attested',
    async (_, builderName) => {
      const host = workshop.host(() => {});
      onTestFinished(() => host.finish());
      const docker = openDocker(host, []);
      const needs = { platformCount: 2, runs: [], pushTo: registry, registries: [registry] };
      const builder = await chooseBuilder(docker, builderName, needs);
      const sbom = `generator=${await pushGenerator()}`;
      const built = await workshop.build(docker, builder, `FROM ${toolchain.baseImage}\n`, { platforms, sbom });
      const registries = openRegistries({ env: {} });
      onTestFinished(() => registries.close());
      const repository = registries.open(workshop.repository, 'push');
      const layout = builder.delivery === 'push' ? undefined : await registries.openLayout(built.layout);
      if (layout !== undefined) await copyImage(layout, repository, built.descriptor);
      const image = await fetchImage(layout ?? repository, { digest: built.descriptor.digest });
      if (image === undefined) throw new Error('the image is not there');
      const signing = await openSigning(await openSigstore());
      const seen: unknown[] = [];
      for (const found of await readBuiltSboms(layout ?? repository, image)) {
        if (!found.ok) throw new Error(found.problem);
        const { subject, predicate } = found.value;
        await attest(
          signing,
          { repository, image: subject },
          { predicateType: 'https://spdx.dev/Document', predicate },
        );
        const reference = `${registry}/${workshop.repository.path}@${subject.digest}`;
        seen.push([
          subject.platform,
          valueAt(predicateIn(await verify(signing, 'spdxjson', reference)), 'packages', '0', 'name'),
        ]);
      }
      expect(seen).toEqual(platforms.map((platform) => [platform, 'busybox']));
    },
    120_000,
  );
});
