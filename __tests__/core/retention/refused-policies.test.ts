import { describe, expect, it } from 'vitest';
import { parseRetention } from '../../../src/core/retention/parse-policies.ts';

function problemsOf(text: string): readonly string[] {
  const parsed = parseRetention(text);
  return parsed.ok ? [] : parsed.problems;
}

/** The first problem, when there is no other. */
function problemOf(text: string): string {
  const problems = problemsOf(text);
  return problems.length === 1 ? (problems[0] ?? '') : `${problems.length} problems: ${problems.join('\n')}`;
}

describe('a short form that could mean something else is refused', () => {
  it.each([
    ['', 'line 1, column 1: retention is empty: 10, 30d, off or rules are allowed'],
    [' \n\t\n', 'line 1, column 1: retention is empty'],
    ['# 10', 'line 1, column 1: retention is empty'],
    ['0', 'line 1, column 1: "0" would keep no image: off is allowed, to delete none, or a number from 1'],
    ['\n  1O', 'line 2, column 3: "1O" is no retention: 10 (images), 30d (an age), off, or rules'],
    ['-1', 'line 1, column 1: "-1" is no retention'],
    ['010', '"010" is no retention'],
    ['1000001', '"1000001" is no retention'],
    ['10 d', '"10 d" is no retention'],
    ['∞', '"∞" is no retention'],
    ['1e3', '"1e3" is no retention'],
    ['0x10', '"0x10" is no retention'],
    ['10d5', '"10d5" is no age: numbers with s, m, h, d, w, mo or y are allowed, as in 30d or 1d12h'],
    ['1d1d', '"1d1d" is no age: it has d twice'],
    ['0d', '"0d" is no age: its numbers must be more than 0'],
    ['OFF', '; did you mean off?'],
    ['latest', '"latest" is no retention'],
    ['protect', '"protect" is no retention'],
    ['\u0000'.repeat(9), 'is no retention'],
  ])('%j', (text, problem) => {
    expect(problemOf(text)).toContain(problem);
  });
});

describe('a line that could mean something else is refused', () => {
  it.each([
    ['protct latest', 'line 2, column 1: "protct latest" is no line of a policy: SELECTOR: CLAUSES, protect ITEMS and'],
    ['protct latest', '; did you mean protect?'],
    ['/x: keep 3', 'line 2, column 1: "/x: keep 3" has a regular expression that does not end before a ":"'],
    ['x:', 'line 2, column 3: a clause is missing: as keep 20, or for 14d'],
    [': keep 3', 'line 2, column 1: a tag, a glob or /a regular expression/ is missing'],
    ['  x: keep 3,', 'line 2, column 13: a clause is missing'],
    ['x: keep 3,, for 1d', 'line 2, column 11: a clause is missing'],
    ['x: keep 3#x', 'keep "3#x" is no number that fits: 0 to 1000000 are allowed'],
    ['x: keep', 'line 2, column 4: keep needs a number: keep 20 is allowed, or keep all'],
    ['x: keep 1O', 'line 2, column 4: keep "1O" is no number that fits'],
    ['x: keep -1', 'keep "-1" is no number that fits'],
    ['x: keep 1.5', 'keep "1.5" is no number that fits'],
    ['x: keep 3 semver', '"keep 3 semver" is no clause: keep 20 by semver is allowed'],
    ['x: keep 3 by semver 2', '"keep 3 by semver 2" is no clause'],
    [
      'x: keep 3 by pushd',
      '"pushd" is no order: pushed, updated, semver, image-created are allowed; did you mean pushed?',
    ],
    ['x: Keep 3', '"Keep" begins no clause'],
    ['x: Keep 3', '; did you mean keep?'],
    ['x: 20', '"20" begins no clause'],
    ['x: for', 'for "" is no age'],
    ['x: for 10 d', 'for "10 d" is no age'],
    ['x: for 3d since', '"" is no moment: pushed, updated are allowed'],
    ['x: for 3d since created', '"created" is no moment'],
    ['x: used 0d', 'used "0d" is no age'],
    ['x: daily', 'daily needs a number: daily 7 is allowed'],
    ['x: daily 0', 'daily "0" is no number that fits: 1 to'],
    ['x: daly 7', 'line 2, column 4: "daly" begins no clause'],
    ['x: while opn', '"opn" is no state for while: open, branch, tag are allowed; did you mean open?'],
    ['x: semver', 'semver needs numbers and levels'],
    ['x: semver 2', 'semver needs numbers and levels'],
    [
      'x: semver 2 major',
      'semver "major" is no level: majors, minors, patches, prereleases are allowed; did you mean majors?',
    ],
    ['x: semver 0 majors', 'semver majors "0" is no number that fits: 1 to'],
    ['x: semver 2 majors, 3 majors', 'line 2, column 21: semver has "majors" twice'],
    ['x: semver 2 majors for 1O', 'semver "1O" is no age'],
    ['x: semver 2 majors, minors', 'line 2, column 21: semver needs numbers and levels'],
    ['x: keep 3, for 1d, keep 5 by semver', 'line 2, column 20: "keep 5 by semver" comes after "keep 3": one of them'],
    ['x: daily 3, daily 4', '"daily 4" comes after "daily 3"'],
    ['x: keep all, for 3d', 'line 2, column 4: "keep all" stands alone: no other clause is allowed beside it'],
    ['x: for 3d, delete', 'line 2, column 12: "delete" stands alone'],
    ['x: report, report', '"report" stands alone'],
    ['v*: keep 9', 'line 2, column 1: "v*" has a rule in line 1 already, and the first one counts'],
    ['untagged: keep 9\nuntagged: for 3d', 'line 3, column 1: "untagged" has a rule in line 2 already'],
    [
      '*: keep 9\nuntagged: for 3d\nx: for 3d',
      'line 4, column 1: "x" is never reached: the rule "*" in line 2 takes every',
    ],
    ['a | ** : keep 9\nx: for 3d', '"x" is never reached: the rule "a | **" in line 2'],
    ['untagged: semver 2 majors', 'untagged: "semver 2 majors" reads tags, of which there are none'],
    ['untagged: for 3d, while open', 'untagged: "while open" reads tags'],
    ['orphans: keep 3 by semver', 'orphans: "keep 3 by semver" reads tags'],
    ['protect a,', 'line 2, column 11: a tag, a glob or /a regular expression/ is missing'],
    ['protect a b', 'line 2, column 9: "a b" is no tag or glob: a comma'],
    ['protect limits', '"limits" is a keyword, which stands alone: for a tag of that name write /^limits$/'],
    ['protect sha256:abc', '"sha256:abc" is no digest: sha256: and 64 hexadecimal digits are allowed'],
    ['protect @release', '"@release" is no source: @releases, @git-tags, @in-use, @in-use(kubectl)'],
    ['protect @release', '; did you mean @releases?'],
    ['protect @in-use(podman)', '"@in-use(podman)" is no source'],
    ['protect @in-use()', '"@in-use()" is no source'],
    ['protect @releases(x)', '"@releases(x)" is no source'],
    ['protect @file', '"@file" is no source'],
    ['protect @file( )', '"@file( )" is no source'],
    ['protect @file(a, b', '"@file(a, b" is no source'],
    ['protect a??, /b', 'line 2, column 14: "/b" is no regular expression'],
    ['limits: ', 'line 2, column 8: a limit is missing: as max-delete 30%, or min-keep 5'],
    [
      'limits: max-delet 3',
      'line 2, column 9: "max-delet" is no limit: max-delete, min-keep, max-time, grace, reserve, tz, untag',
    ],
    ['limits: max-delete 30 %', 'max-delete "30 %" is no share: 0% to 100% are allowed'],
    ['limits: max-delete 101%', 'max-delete "101%" is no share'],
    ['limits: max-delete -1', 'max-delete "-1" is no number'],
    ['limits: min-keep', 'min-keep "" is no number'],
    ['limits: max-time 20', 'max-time "20" is no age'],
    ['limits: tz Europe/Atlantis', 'tz "Europe/Atlantis" is no time zone: an IANA name is allowed'],
    ['limits: tz +02:00', 'tz "+02:00" is no time zone'],
    ['limits: untag dummy', 'untag "dummy" is no way to untag: off, safe are allowed'],
    ['limits: grace 1h, grace 2h', 'line 2, column 19: "grace" is given twice'],
    ['limits: min-keep 1\nlimits: reserve 3', 'line 3, column 1: limits are given twice: one line is allowed'],
  ])('%j', (line, problem) => {
    expect(problemOf(`v*: keep 3\n${line}`)).toContain(problem);
  });

  it('and not a rule after one that leaves tags to it', () => {
    expect(problemsOf('* | a except b: keep 9\nb: for 3d')).toEqual([]);
  });

  it('and a policy without a rule', () => {
    expect(problemOf('protect latest')).toContain('line 1, column 1: the policy has no rule');
    expect(problemOf('limits: min-keep 3')).toContain('the policy has no rule');
  });
});

describe('YAML that could mean something else is refused', () => {
  it.each([
    ['- match: v*\n  keep: 1O', 'line 3, column 3: keep "1O" is no number that fits'],
    ['- match: v*\n  keep:', 'line 3, column 3: keep needs a number'],
    ['- match: v*\n  keep: ~', 'keep "~" is no number'],
    ['- match: v*\n  keep: 0x10', 'keep "0x10" is no number'],
    ['- match: v*\n  keep: 1_000', 'keep "1_000" is no number'],
    ['- match: v*\n  keep: 3\n  keep: 4', 'line 4, column 3: the key "keep" stands twice'],
    ['- match: v*\n  kep: 3', 'line 3, column 3: "kep" is no key of a rule: match, keep, for, used'],
    ['- keep: 3', "line 2, column 3: a rule has no match: as match: 'sha-*'"],
    ['- match: v*', 'line 2, column 10: a rule says nothing: as keep: 20, or for: 14d'],
    ['- match: "a\\u0020b"\n  keep: 3', 'line 2, column 10: "a b" is no tag or glob'],
    ["- match: 'v* | a b'\n  keep: 3", 'line 2, column 16: "a b" is no tag or glob'],
    ['- match: |\n    a b\n  keep: 3', 'line 2, column 10: "a b" is no tag or glob'],
    [
      '- match: *v\n  keep: 3',
      'line 2, column 10: "*v" is an alias of YAML, which is not allowed; a glob that begins with *',
    ],
    [
      '- match: *\n  keep: 3',
      'line 2, column 10: this is no YAML: Alias cannot be an empty string; a glob that begins with *',
    ],
    [
      '- match: [a-z]\n  keep: 3',
      'line 2, column 10: match must be text: what begins with [ or { is to stand in quotes',
    ],
    ['- match: &a v*\n  keep: 3', 'line 2, column 13: "&a" is an anchor of YAML, which is not allowed'],
    ['- match: !!str v*\n  keep: 3', 'is a tag of YAML, which is not allowed'],
    ['- match: "/\\d/"\n  keep: 3', 'a regular expression is to stand in single quotes'],
    ['- &r { match: v*, keep: 3 }\n- <<: *r\n  match: x', '"<<" is no key of a rule'],
    ['- match: v*\n  delete: yes', 'line 3, column 3: delete can only be true'],
    ['- match: v*\n  delete: true\n  keep: 3', '"delete" stands alone'],
    ['- match: v*\n  keep: [3]', 'line 3, column 9: keep must be text'],
    ['- match: v*\n  semver: { major: 2 }', 'line 3, column 13: "major" is no key of semver: majors, minors'],
    ['- match: v*\n  semver: {}', 'semver needs numbers and levels'],
    ['- match: v*\n  semver: { majors: 2 for }', 'semver "" is no age'],
    ['- match: v*\n  semver: 2 majors, keep 3', 'line 3, column 21: semver "keep" is no level: majors, minors'],
    ['- v*', 'line 2, column 3: a rule must be a map: match, keep, for'],
    ['v*: 3', 'line 2, column 1: "v*" is no key of a policy'],
    ['  v*: 3', "line 2, column 3: rules must be a list: as - { match: 'sha-*', keep: 20, for: 14d }"],
    [
      '- { match: v*, keep: 3 }\nrule: []',
      'line 3, column 1: "rule" is no key of a policy: protect, rules, limits, images',
    ],
    ['- { match: v*, keep: 3 }\nrules: []', 'line 3, column 1: the key "rules" stands twice'],
    ['- { match: v*, keep: 3 }\nprotect: { a: b }', 'line 3, column 10: protect must be text'],
    ['- { match: v*, keep: 3 }\nprotect: [@releases]', "what begins with @ is to stand in quotes: '@releases'"],
    ['- { match: v*, keep: 3 }\nprotect: [[a]]', 'line 3, column 11: an item of protect must be text'],
    ['- { match: v*, keep: 3 }\nlimits: { min-kep: 3 }', 'line 3, column 11: "min-kep" is no key of limits'],
    ['- { match: v*, keep: 3 }\nlimits: [3]', 'line 3, column 9: limits must be a map'],
    ['- { match: v*, keep: 3 }\nimages: {}', 'line 3, column 1: images must be a map'],
    ['- { match: v*, keep: 3 }\nimages: { a: 3 }', 'line 3, column 14: the policy of an image must be a map'],
    ['- { match: v*, keep: 3 }\n---\n- 3', 'line 1, column 1: there are several YAML documents'],
    ['- { match: v*, keep: 3', 'this is no YAML'],
  ])('%j', (rest, problem) => {
    expect(problemsOf(`rules:\n${rest}`).join('\n')).toContain(problem);
  });

  const policy = '{ rules: [{ match: v*, keep: 3 }] }';

  it.each([
    [`acme app: ${policy}`, 'line 2, column 2: "acme app" is not a repository name'],
    [`ghcr.io/acme/app:1: ${policy}`, 'line 2, column 2: "ghcr.io/acme/app:1" is not a repository name'],
    [
      `node: ${policy}\n docker.io/library/node: ${policy}`,
      'line 3, column 2: "docker.io/library/node" has a policy already',
    ],
    ['node: { images: {} }', 'line 2, column 10: "images" is no key of the policy of an image: protect, rules, limits'],
    ['node: { protect: latest }', 'line 2, column 2: the policy has no rule'],
  ])('for an image as %j', (rest, problem) => {
    expect(problemsOf(`images:\n ${rest}`).join('\n')).toContain(problem);
  });

  it('where protect stands with a colon above rules in lines', () => {
    expect(problemsOf('protect: latest\nv*: keep 3').join('\n')).toContain(
      'line 2, column 1: "v*" is no key of a policy: protect, rules, limits, images are allowed; ' +
        'in the form with one rule a line, protect is written without ":"',
    );
  });
});

it('tells all that is wrong at once, from top to bottom', () => {
  const text = 'protect @relases\nv*: kep 3, for 1O\nv*: keep 5\n\nlimits: min-keep x\nwhat';
  expect(problemsOf(text).map((problem) => problem.replace(/: .*/s, ''))).toEqual([
    'line 1, column 9',
    'line 2, column 5',
    'line 2, column 12',
    'line 3, column 1',
    'line 5, column 9',
    'line 6, column 1',
  ]);
});

describe('what would keep the parser busy is refused', () => {
  it.each([
    ['a long text', 'a'.repeat(65_537), 'the text has 65537 characters: 65536 are allowed'],
    ['many rules', Array.from({ length: 201 }, (_, index) => `x${index}: keep 3`).join('\n'), '201 rules are too many'],
    ['nested lists', `rules: ${'['.repeat(13)}`, 'nested too deeply'],
    ['nested maps', `rules: ${'{a: '.repeat(13)}`, 'nested too deeply'],
    ['lists in a line', `rules:\n ${'- '.repeat(13)}`, 'nested too deeply'],
    ['many parts', `rules: [${','.repeat(60_000)}`, 'too many parts'],
  ])('%s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('and takes 200 rules, and as many maps in a line', () => {
    const names = Array.from({ length: 200 }, (_, index) => `x${index}`);
    expect(problemsOf(names.map((name) => `${name}: keep 3`).join('\n'))).toEqual([]);
    expect(problemsOf(`rules: [${names.map((name) => `{match: ${name}, keep: 3}`).join(', ')}]`)).toEqual([]);
  });

  it('and a thousand problems are told as the first 50', () => {
    const problems = problemsOf('what\n'.repeat(1000));
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe('and 951 more');
  });
});

it('quotes hostile text as one short line', () => {
  const problems = problemsOf(`\u001b[2Jx\u202e${'y'.repeat(9_000)}: keep 3\nx: keep \u0007`);
  expect(problems).toHaveLength(2);
  for (const problem of problems) {
    expect(problem.length).toBeLessThan(400);
    expect(problem).not.toMatch(/\p{Cc}|\u202e/u);
  }
});
