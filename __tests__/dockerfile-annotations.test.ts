import { describe, expect, it } from 'vitest';
import type { DockerfileProblem } from '../src/core/dockerfile-problems.ts';
import type { Severity } from '../src/core/findings.ts';
import { annotateDockerfile } from '../src/dockerfile-annotations.ts';
import type { Location, Log } from '../src/host.ts';

function problem(line: number | undefined, severity: Severity | undefined): DockerfileProblem {
  return { rule: 'R', message: `m${line ?? ''}`, url: undefined, line, severity, source: 'trivy' };
}

interface Place {
  readonly file: string | undefined;
}

type Said = readonly [level: string, message: string, at?: Location];

function annotate(
  problems: readonly DockerfileProblem[],
  { file }: Place = { file: 'app/Dockerfile' },
): readonly Said[] {
  const said: Said[] = [];
  const keep = (level: string) => (message: string, at?: Location) =>
    void said.push(at === undefined ? [level, message] : [level, message, at]);
  const log: Log = {
    debug: keep('debug'),
    info: keep('info'),
    notice: keep('notice'),
    warning: keep('warning'),
    error: keep('error'),
    group: (_, work) => work(),
    mask: () => {},
  };
  annotateDockerfile(log, file, problems);
  return said;
}

describe('the problems of a Dockerfile', () => {
  it('are warnings and notices at its lines', () => {
    expect(annotate([problem(undefined, 'HIGH'), problem(2, 'CRITICAL'), problem(3, undefined)])).toEqual([
      ['warning', 'm (R)', { file: 'app/Dockerfile' }],
      ['warning', 'm2 (R)', { file: 'app/Dockerfile', line: 2 }],
      ['notice', 'm3 (R)', { file: 'app/Dockerfile', line: 3 }],
    ]);
  });

  it('have no place where the Dockerfile has none', () => {
    expect(annotate([problem(2, 'HIGH')], { file: undefined })).toEqual([['warning', 'm2 (R)']]);
  });

  it('that GitHub has no room for are in the log', () => {
    const many = Array.from({ length: 12 }, (_, index) => problem(index + 1, 'LOW'));
    const said = annotate([...many, problem(undefined, undefined)]);
    expect(said.slice(0, 10).every(([level]) => level === 'notice')).toBe(true);
    expect(said.slice(10)).toEqual([
      ['info', '3 more problems of the Dockerfile:'],
      ['info', '  line 11: m11 (R)'],
      ['info', '  line 12: m12 (R)'],
      ['info', '  m (R)'],
    ]);
  });

  it('are never more lines than a person reads', () => {
    const said = annotate(Array.from({ length: 1000 }, (_, index) => problem(index + 1, 'LOW')));
    expect(said).toHaveLength(10 + 1 + 100 + 1);
    expect(said.at(-1)).toEqual(['info', '  and 890 more']);
  });

  it('are nothing to talk about where there are none', () => {
    expect(annotate([])).toEqual([]);
  });
});
