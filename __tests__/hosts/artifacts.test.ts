import { describe, expect, it } from 'vitest';
import { artifactLines } from '../../src/hosts/artifacts.ts';
import { type ArtifactSubject, parseArtifacts } from '../support/file-commands.ts';

const [ONE, TWO] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
const app = { name: 'ghcr.io/acme/app', digest: ONE };
const mirror = { name: '127.0.0.1:5000/acme/app', digest: ONE };

function listOf(subjects: readonly ArtifactSubject[]): string {
  return JSON.stringify({ version: 1, subjects });
}

function declared(count: number): readonly ArtifactSubject[] {
  return Array.from({ length: count }, (_, index) => ({ name: `a${index}`, digest: TWO, kind: 'oci' }));
}

describe('the lines of GITHUB_ARTIFACTS', () => {
  it.each([undefined, '', '\n', listOf([])])('name every image by its digest, given the list %j', (list) => {
    const { text, left } = artifactLines([app, mirror], list);
    expect(text).toBe(`oci://ghcr.io/acme/app@${ONE}\noci://127.0.0.1:5000/acme/app@${ONE}\n`);
    expect(left).toEqual([]);
    expect(parseArtifacts(text, [], '/')).toEqual([app, mirror].map((subject) => ({ ...subject, kind: 'oci' })));
  });

  it('leave out what an earlier step declared as the same', () => {
    expect(artifactLines([app, mirror, mirror], listOf([{ ...app, kind: 'oci' }]))).toEqual({
      text: `oci://127.0.0.1:5000/acme/app@${ONE}\n`,
      left: [],
    });
  });

  it.each(['oci', 'file'] as const)('leave out a name that is another digest already, as an %s', (kind) => {
    const earlier = [{ name: app.name, digest: TWO, kind }];
    const { text, left } = artifactLines([app, mirror], listOf(earlier));
    expect(text).toBe(`oci://127.0.0.1:5000/acme/app@${ONE}\n`);
    expect(left).toEqual([`an earlier step of this job declared ${app.name} as ${TWO}`]);
    expect(() => parseArtifacts(`oci://${app.name}@${ONE}`, earlier, '/')).toThrow('is named twice');
    expect(parseArtifacts(text, earlier, '/')).toHaveLength(2);
  });

  it('stop at 500 subjects in a job', () => {
    const { text, left } = artifactLines([app, mirror], listOf(declared(499)));
    expect(left).toEqual([`a job may declare 500 artifacts: not ${mirror.name}`]);
    expect(parseArtifacts(text, declared(499), '/')).toHaveLength(500);
  });

  it('stop at a mebibyte', () => {
    const long = { name: `ghcr.io/${'x'.repeat(1024 * 1024)}`, digest: ONE };
    const { text, left } = artifactLines([long, app], undefined);
    expect(text).toBe(`oci://ghcr.io/acme/app@${ONE}\n`);
    expect(left).toHaveLength(1);
  });

  it('have no "="', () => {
    expect(artifactLines([{ name: 'a/b=c', digest: ONE }], undefined)).toEqual({
      text: '',
      left: ['a name with "=" is not allowed: a/b=c'],
    });
  });

  it.each(['{', '[]', 'null', '{"version":2,"subjects":[]}', '{"version":1}', '{"version":1,"subjects":{}}'])(
    'are none when the list is %s, which a later runner may write',
    (list) => {
      expect(artifactLines([app], list)).toEqual({ text: '', left: ['GITHUB_ARTIFACTS_LIST is not understood'] });
    },
  );

  it('take no harm from subjects that are none', () => {
    const list = '{"version":1,"subjects":[null,1,"x",[],{"name":1},{"name":"__proto__","digest":"x"}]}';
    expect(artifactLines([app], list)).toEqual({ text: `oci://ghcr.io/acme/app@${ONE}\n`, left: [] });
  });
});
