import { describe, expect, it } from 'vitest';
import {
  chooseAnnotations,
  type DockerfileProblem,
  formatProblem,
  joinProblems,
  problemOf,
} from '../../src/core/dockerfile-problems.ts';
import type { Misconfiguration, Severity } from '../../src/core/findings.ts';

function ofBuildx(rule: string, line: number | undefined, message = rule): DockerfileProblem {
  return { rule, message, url: undefined, line, severity: undefined, source: 'buildx' };
}

function ofTrivy(rule: string, line: number | undefined, severity: Severity = 'HIGH'): DockerfileProblem {
  return { rule, message: `${rule} failed`, url: undefined, line, severity, source: 'trivy' };
}

const MISCONFIGURATION: Misconfiguration = {
  kind: 'misconfiguration',
  id: 'DS-0013',
  severity: 'MEDIUM',
  title: "'RUN cd ...' to change directory",
  description: '',
  url: 'https://avd.aquasec.com/misconfig/ds-0013',
  target: 'Dockerfile',
  file: 'Dockerfile',
  layer: undefined,
  startLine: 12,
  endLine: 13,
  message: "RUN should not be used to change directory: 'cd /x && curl -H token:hunter2'",
  resolution: 'Use WORKDIR to change directory',
};

describe('a check of Trivy', () => {
  it('says what is wrong and what to do, and quotes nothing of the file', () => {
    expect(problemOf(MISCONFIGURATION)).toEqual({
      rule: 'DS-0013',
      message: "'RUN cd ...' to change directory: Use WORKDIR to change directory",
      url: 'https://avd.aquasec.com/misconfig/ds-0013',
      line: 12,
      severity: 'MEDIUM',
      source: 'trivy',
    });
  });

  it('is one printable line', () => {
    const hostile = { ...MISCONFIGURATION, title: '\u001b[1mx\n::warning::y', resolution: undefined, id: 'a\tb' };
    expect(problemOf(hostile)).toMatchObject({ rule: 'a b', message: 'x ::warning::y' });
  });
});

describe('one list of both', () => {
  it('is sorted by line, without one first', () => {
    const problems = [ofBuildx('B', 7), ofTrivy('DS-0005', 3), ofTrivy('DS-0002', undefined), ofBuildx('A', 3)];
    expect(joinProblems(problems, []).map(({ rule }) => rule)).toEqual(['DS-0002', 'DS-0005', 'A', 'B']);
  });

  it.each([
    ['SecretsUsedInArgOrEnv', 'DS-0031'],
    ['MaintainerDeprecated', 'DS-0022'],
    ['WorkdirRelativePath', 'DS-0009'],
  ])('says %s once, with the severity of %s', (rule, check) => {
    const expected = [{ ...ofBuildx(rule, 4), severity: 'CRITICAL' }];
    expect(joinProblems([ofBuildx(rule, 4), ofTrivy(check, 4, 'CRITICAL')], [])).toEqual(expected);
    expect(joinProblems([ofTrivy(check, 4, 'CRITICAL'), ofBuildx(rule, 4)], [])).toEqual(expected);
  });

  it('keeps every variable that buildx names in one line', () => {
    const problems = [
      ofBuildx('SecretsUsedInArgOrEnv', 4, 'ENV "A_TOKEN"'),
      ofBuildx('SecretsUsedInArgOrEnv', 4, 'ENV "B_TOKEN"'),
      ofTrivy('DS-0031', 4, 'CRITICAL'),
    ];
    const said = joinProblems(problems, []).map(({ message, severity }) => [message, severity]);
    expect(said).toEqual([
      ['ENV "A_TOKEN"', 'CRITICAL'],
      ['ENV "B_TOKEN"', 'CRITICAL'],
    ]);
  });

  it.each<[string, DockerfileProblem, DockerfileProblem]>([
    ['of another line', ofBuildx('SecretsUsedInArgOrEnv', 4), ofTrivy('DS-0031', 5)],
    ['of another matter', ofBuildx('SecretsUsedInArgOrEnv', 4), ofTrivy('DS-0005', 4)],
  ])('keeps both when one is %s', (_, one, other) => {
    expect(joinProblems([one, other], [])).toEqual([one, other]);
  });

  it('keeps what Trivy alone says', () => {
    expect(joinProblems([ofTrivy('DS-0031', 4)], [])).toEqual([ofTrivy('DS-0031', 4)]);
  });

  it('says once what several platforms have', () => {
    expect(joinProblems([ofBuildx('A', 1), ofBuildx('A', 1), ofBuildx('A', 2)], [])).toHaveLength(2);
  });

  it('leaves out the image named by "latest" that the run has warned of', () => {
    const problems = [ofTrivy('DS-0001', 1, 'MEDIUM'), ofTrivy('DS-0001', 9, 'MEDIUM'), ofTrivy('DS-0005', 1, 'LOW')];
    const said = joinProblems(problems, [{ message: 'the image "busybox" has no tag', line: 1 }]);
    expect(said.map(({ rule, line }) => [rule, line])).toEqual([
      ['DS-0005', 1],
      ['DS-0001', 9],
    ]);
  });
});

describe('what is shown at the lines', () => {
  it.each<[Severity | undefined, 'warnings' | 'notices']>([
    ['CRITICAL', 'warnings'],
    ['HIGH', 'warnings'],
    ['MEDIUM', 'notices'],
    ['LOW', 'notices'],
    ['UNKNOWN', 'notices'],
    [undefined, 'notices'],
  ])('has %s among the %s', (severity, level) => {
    const problem = { ...ofBuildx('A', 1), severity };
    expect(chooseAnnotations([problem], 1)).toEqual({ warnings: [], notices: [], left: [], [level]: [problem] });
  });

  it('is the worst of each level, in the order of the lines', () => {
    const [high, critical, none, low] = [
      ofTrivy('H', 1, 'HIGH'),
      ofTrivy('C', 2, 'CRITICAL'),
      ofBuildx('N', 3),
      ofTrivy('L', 4, 'LOW'),
    ];
    expect(chooseAnnotations([high, critical, none, low], 1)).toEqual({
      warnings: [critical],
      notices: [low],
      left: [high, none],
    });
    expect(chooseAnnotations([high, critical, none, low], 2)).toEqual({
      warnings: [high, critical],
      notices: [none, low],
      left: [],
    });
  });
});

it('says the rule, and where to read on', () => {
  expect(formatProblem(ofBuildx('A', 1, 'that is so'))).toBe('that is so (A)');
  const problem = { ...ofBuildx('A', 1, 'that is so'), url: 'https://docs.example/a' };
  expect(formatProblem(problem)).toBe('that is so (A, https://docs.example/a)');
});
