import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { runWorkflow } from '../support/act.ts';
import { type ActionFolder, openActionFolder } from '../support/action-folder.ts';
import { openJob } from '../support/job.ts';
import { CHECKOUT, mustRun } from '../support/programs.ts';

const toolchain = inject('toolchain');
const { act, docker, trivy } = toolchain.layers;
const SERVICES = Array.from({ length: 12 }, (_, index) => `s${String(index + 1).padStart(2, '0')}`);
const filesOf = (name: string): [string, string][] => [
  [`services/${name}/Dockerfile`, 'FROM scratch\nCOPY main /\n'],
  [`services/${name}/main`, name],
  [`services/${name}/README.md`, 'is not copied'],
];

describe.skipIf(!act || !docker || !trivy)('the workflow of a monorepo with twelve services, run by act', () => {
  let folder: ActionFolder;
  beforeAll(async () => {
    folder = await openActionFolder(toolchain);
  });
  afterAll(() => folder.remove());

  it('builds all of them once, then for one change one image, then none; and tags all of them each time', async () => {
    const image = `${toolchain.registry}/t/${randomUUID()}`;
    const files = Object.fromEntries(SERVICES.flatMap(filesOf));
    const push = async (changes: Readonly<Record<string, string>>) => {
      const job = openJob(toolchain);
      try {
        const result = await runWorkflow({
          workflow: join(CHECKOUT, 'examples/monorepo.yml'),
          image,
          action: folder.action,
          files: Object.assign(files, changes),
          env: { ...job.env, ...folder.env },
        });
        expect(result.status, result.log).toBe('success');
        return result.log.match(/^.*Build \d+ images?$/gm)?.length ?? 0;
      } finally {
        job.remove();
      }
    };
    const digests = (): Promise<readonly string[]> =>
      Promise.all(
        SERVICES.map((name) =>
          mustRun(['crane', '--insecure', 'digest', `${image}/${name}:main`], {
            env: { ...process.env, ...toolchain.env },
          }),
        ),
      );
    expect(await push({})).toBe(12);
    const first = await digests();
    expect(await push({ 'services/s07/main': 'changed', 'services/s03/README.md': 'changed' })).toBe(1);
    const second = await digests();
    expect(second.map((digest, index) => (digest === first[index] ? '' : SERVICES[index])).join('')).toBe('s07');
    expect(await push({ 'README.md': 'new' })).toBe(0);
    expect(await digests()).toEqual(second);
  });
});
