import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isOptionName, OPTION_NAMES, OPTION_TABLE } from '../src/option-table.ts';
import { type ParsedOptions, parseOptions } from '../src/options.ts';

const IMAGE = { images: 'ghcr.io/acme/app' };

function problemsOf({ problems }: ParsedOptions): string[] {
  return problems.map(({ input, message }) => `${input}: ${message}`);
}

/** The one problem of these texts. */
function problemOf(raw: Record<string, string>, env: Record<string, string> = {}): string {
  const problems = problemsOf(parseOptions(raw, env));
  expect(problems).toHaveLength(1);
  return problems[0] ?? '';
}

describe('without any text', () => {
  it('every option has the default of the page of options', () => {
    expect(parseOptions({})).toEqual({
      problems: [],
      fromEnvironment: [],
      options: {
        images: [],
        command: 'build',
        files: [],
        targets: [],
        entry: undefined,
        maxJobs: 256,
        confirm: undefined,
        context: '.',
        file: undefined,
        target: undefined,
        platforms: [],
        buildArgs: [],
        buildContexts: [],
        secrets: [],
        secretEnvs: [],
        secretFiles: [],
        ssh: [],
        labels: [],
        annotations: [],
        addHosts: [],
        allow: [],
        network: undefined,
        noCache: false,
        noCacheFilters: [],
        pull: false,
        shmSize: undefined,
        ulimit: [],
        cgroupParent: undefined,
        provenance: undefined,
        retention: undefined,
        sbom: undefined,
        attests: [],
        cacheFrom: [],
        cacheTo: [],
        cache: 'none',
        builder: undefined,
        dryRun: false,
        emulation: 'auto',
        binfmtImage: {
          repository: { registry: 'docker.io', path: 'tonistiigi/binfmt' },
          tag: 'qemu-v10.2.3',
          digest: 'sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0',
        },
        load: false,
        push: true,
        tags: [],
        version: undefined,
        tagPrefix: 'v',
        flavor: ['latest=auto'],
        immutableTags: undefined,
        forbidTags: [],
        trustedRegistries: [],
        requireDigestPins: false,
        hashFiles: [],
        hashIgnore: [],
        hashSalt: undefined,
        hashScope: 'inputs',
        base: 'digest',
        force: false,
        local: false,
        maxAge: undefined,
        registry: undefined,
        username: undefined,
        password: undefined,
        githubToken: undefined,
        registryCa: undefined,
        registryInsecure: [],
        scan: true,
        scanFailOn: 'none',
        scanSeverity: ['CRITICAL', 'HIGH'],
        scanIgnoreUnfixed: false,
        scanBudget: new Map(),
        scanScanners: ['vuln', 'secret'],
        scanPkgTypes: ['os', 'library'],
        scanSkipDirs: [],
        scanSkipFiles: [],
        scanIgnoreFile: undefined,
        scanVex: [],
        scanFormat: ['table', 'sarif'],
        scanTimeout: 600_000,
        rescanAfter: 86_400_000,
        scanDbRepository: [],
        scanJavaDbRepository: [],
        trivyVersion: undefined,
        trivyDownloadUrl: undefined,
        sign: 'auto',
        signKey: undefined,
        signKeyPassword: undefined,
        sigstoreSigningConfig: undefined,
        sigstoreTrustedRoot: undefined,
        trust: 'auto',
        trustIdentity: [],
        trustIssuer: undefined,
        trustStrict: false,
        summary: true,
      },
    });
  });

  it.each(['', ' ', '\n'])('%j is the default as well', (text) => {
    const raw = Object.fromEntries(OPTION_NAMES.map((name) => [name, text]));
    expect(parseOptions(raw)).toEqual(parseOptions({}));
  });

  it('an option that the command needs is a problem', () => {
    expect(problemsOf(parseOptions({}, {}, ['images']))).toEqual(['images: is required']);
    expect(problemsOf(parseOptions({ images: '# none yet' }, {}, ['images']))).toEqual(['images: is required']);
    expect(problemsOf(parseOptions(IMAGE, {}, ['images']))).toEqual([]);
  });
});

describe('action.yml', () => {
  const manifest: { inputs: Record<string, { default: string; required?: boolean }> } = parse(
    readFileSync(path.join(import.meta.dirname, '../action.yml'), 'utf8'),
  );

  it('has these inputs and no others', () => {
    expect(Object.keys(manifest.inputs)).toEqual(OPTION_NAMES);
  });

  it.each(OPTION_NAMES)('gives %s its default', (name) => {
    const option = OPTION_TABLE[name];
    const expected = 'actionDefault' in option ? option.actionDefault : option.default;
    expect(manifest.inputs[name]?.default).toBe(expected);
  });

  it('leaves an input empty for which the environment can stand in, since the runner passes defaults on', () => {
    const standIns = OPTION_NAMES.filter((name) => 'variable' in OPTION_TABLE[name]);
    expect(standIns).toEqual(['trusted-registries', 'force', 'retention']);
    for (const name of standIns) expect(manifest.inputs[name]?.default).toBe('');
  });
});

describe('a name', () => {
  it.each([
    ['platform', 'platform: is not a known input; did you mean platforms?'],
    ['build-arg', 'build-arg: is not a known input; did you mean build-args?'],
    ['retention-policy', 'retention-policy: is not a known input'],
    ['__proto__', '__proto__: is not a known input'],
    ['constructor', 'constructor: is not a known input'],
  ])('%s is unknown', (name, problem) => {
    expect(isOptionName(name)).toBe(false);
    expect(problemOf({ [name]: 'x' })).toBe(problem);
  });

  it('that is hostile is shown in a short printable line', () => {
    const problem = problemOf({ [`\u001b[31m\n::add-mask::x${'y'.repeat(1_000_000)}`]: 'x' });
    expect(problem.length).toBeLessThan(100);
    expect(problem).not.toMatch(/\p{Cc}/u);
  });

  it('without a value is no problem', () => {
    expect(parseOptions({ 'not-there': undefined }).problems).toEqual([]);
  });
});

describe('problems', () => {
  it('are listed all at once', () => {
    const { problems, options } = parseOptions({
      platfroms: 'linux/amd64',
      platforms: 'linux/amd46,linux/amd64,windows/amd64',
      images: 'ghcr.io/Other/app\nghcr.io/acme/app:1.2',
      force: 'yes',
      'max-age': '30 days',
      secrets: 'hunter2',
      cache: 'github',
      'cache-to': 'type=gha,ghtoken=x',
      username: 'me',
      push: 'TRUE',
    });
    expect(problems.map(({ input }) => input).sort()).toEqual(
      ['platfroms', 'images', 'platforms', 'secrets', 'cache-to', 'cache', 'force', 'max-age', 'password'].sort(),
    );
    expect(options).toMatchObject({ images: [], platforms: [], force: false, cache: 'none', push: true });
  });

  it('name every bad item of a list', () => {
    expect(problemOf({ platforms: 'linux/amd46,linux/amd64,lunix/amd64' })).toMatch(/"linux\/amd46".*"lunix\/amd64"/);
  });

  it.each([
    ['secrets', 'hunter2'],
    ['secrets', 'ID=\n=hunter2'],
    ['secrets', '"ID=hunter2'],
    ['secrets', 'ID=hunter2\0'],
    ['secret-envs', 'ID=hunter2!'],
    ['password', 'hunter2'],
    ['github-token', 'hunter2'],
  ])('of %s never show a value', (name, value) => {
    const parsed = parseOptions({ ...IMAGE, [name]: value });
    expect(JSON.stringify([parsed.problems, parsed.fromEnvironment])).not.toContain('hunter2');
  });

  /** One name for each way to parse. */
  const parsers = new Map(OPTION_NAMES.map((name) => [OPTION_TABLE[name].parse, name] as const));

  it.each([...parsers.values()])('of 1 MB in %s are found at once and short', (name) => {
    for (const piece of ['x', '"', ',', '\n', '=', 'a\n', '/', '\u001b[31m', ' x', '"a",']) {
      const { problems } = parseOptions({ [name]: piece.repeat(1_000_000 / piece.length) });
      expect(JSON.stringify(problems).length).toBeLessThan(5000);
    }
  });
});

describe('images', () => {
  const env = { GITHUB_REPOSITORY: 'Acme/App', GITHUB_REPOSITORY_OWNER: 'Acme' };
  const names = (images: string): string[] =>
    parseOptions({ images }, env).options.images.map(({ registry, path: at }) => `${registry}/${at}`);

  it.each([
    ['ghcr.io/acme/app', ['ghcr.io/acme/app']],
    ['acme/app', ['docker.io/acme/app']],
    ['a/b,c/d\n e/f , # x\n# g/h'.replace(', # x', ''), ['docker.io/a/b', 'docker.io/c/d', 'docker.io/e/f']],
    ['ghcr.io/Acme/App', ['ghcr.io/acme/app']],
    ['Acme/App', ['docker.io/acme/app']],
    ['ghcr.io/Acme/web', ['ghcr.io/acme/web']],
    ['GHCR.io/Acme/App/web', ['ghcr.io/acme/app/web']],
  ])('%j are %j', (text, expected) => {
    expect(names(text)).toEqual(expected);
  });

  it.each([
    ['ghcr.io/Other/app', 'upper-case letters are not allowed'],
    ['Other/app', 'upper-case letters are not allowed'],
    ['ghcr.io/Acme/App2', 'upper-case letters are not allowed'],
    ['ghcr.io/acme/app:1', 'carries a tag'],
    ['ghcr.io/Acme/App:1', 'carries a tag'],
    [`ghcr.io/acme/app@sha256:${'0'.repeat(64)}`, 'carries a digest'],
    ['https://ghcr.io/acme/app', 'names no valid registry host'],
    ['ghcr.io/acme/app\n::set-output name=x::y', 'not'],
  ])('%j are refused: %s', (images, problem) => {
    expect(problemOf({ images }, env)).toContain(problem);
  });

  it('in upper case are refused where no repository of GitHub is known', () => {
    expect(problemOf({ images: 'ghcr.io/Acme/App' })).toContain('upper-case');
  });
});

describe("GitHub's own name", () => {
  const env = { GITHUB_REPOSITORY: 'Acme/App', GITHUB_REPOSITORY_OWNER: 'Acme' };

  it('is lower-cased in references only', () => {
    const { options } = parseOptions(
      {
        tags: 'Acme\ntype=raw,value=Acme\nghcr.io/Acme/App:Acme',
        'cache-from': 'type=registry,ref=ghcr.io/Acme/App:cache\ntype=local,src=/work/Acme/App',
        'build-args': 'NAME=Acme/App',
      },
      env,
    );
    expect(options.tags).toEqual(['Acme', 'type=raw,value=Acme', 'ghcr.io/acme/app:Acme']);
    expect(options.cacheFrom).toEqual(['type=registry,ref=ghcr.io/acme/app:cache', 'type=local,src=/work/Acme/App']);
    expect(options.buildArgs).toEqual(['NAME=Acme/App']);
  });

  it('of one letter changes nothing else', () => {
    const one = { GITHUB_REPOSITORY: 'X/Y', GITHUB_REPOSITORY_OWNER: 'X' };
    expect(parseOptions({ images: 'ghcr.io/X/Y', tags: 'ReleaseX\nY' }, one).options).toMatchObject({
      images: [{ path: 'x/y' }],
      tags: ['ReleaseX', 'Y'],
    });
  });
});

describe('the environment', () => {
  it.each<[string | undefined, string | undefined, boolean, number]>([
    [undefined, undefined, false, 0],
    [undefined, 'true', true, 1],
    ['', 'true', true, 1],
    ['false', 'true', false, 0],
    ['true', 'false', true, 0],
    [undefined, 'false', false, 1],
    [undefined, ' ', false, 0],
  ])('force: %j and BUTLER_FORCE_REBUILD=%j is %s', (force, BUTLER_FORCE_REBUILD, expected, said) => {
    const { options, fromEnvironment, problems } = parseOptions({ force }, { BUTLER_FORCE_REBUILD });
    expect(problems).toEqual([]);
    expect(options.force).toBe(expected);
    expect(fromEnvironment).toHaveLength(said);
  });

  it('is named where it is used and where it is bad', () => {
    expect(parseOptions({}, { BUTLER_FORCE_REBUILD: 'true' }).fromEnvironment).toEqual([
      'force is "true", from BUTLER_FORCE_REBUILD',
    ]);
    expect(problemOf({}, { BUTLER_FORCE_REBUILD: 'yes' })).toBe(
      'force: "yes" is neither true nor false, from BUTLER_FORCE_REBUILD',
    );
  });
});

describe('credentials', () => {
  it.each<[Record<string, string>, string]>([
    [{ ...IMAGE, username: 'me' }, 'password: is required, because username is given'],
    [{ ...IMAGE, password: 'hunter2' }, 'username: is required, because password is given'],
    [{ ...IMAGE, registry: 'ghcr.io' }, 'registry: "ghcr.io" needs username and password'],
    [
      { images: 'ghcr.io/a/b,acme/app', username: 'me', password: 'x' },
      'registry: is required: images name several registries (ghcr.io, docker.io)',
    ],
    [
      { ...IMAGE, registry: 'https://ghcr.io', username: 'me', password: 'x' },
      'registry: "https://ghcr.io" is not a registry',
    ],
  ])('%j: %s', (raw, problem) => {
    expect(problemOf(raw)).toContain(problem);
  });

  it('are complete', () => {
    const raw = { images: 'ghcr.io/a/b,acme/app', registry: ' GHCR.io ', username: ' me ', password: ' p ' };
    const { options, problems } = parseOptions(raw);
    expect(problems).toEqual([]);
    expect(options).toMatchObject({ registry: 'ghcr.io', username: 'me', password: ' p ' });
  });
});

describe('what buildx would refuse much later', () => {
  it.each([
    ['provenance', 'max', 'provenance: "max" is not allowed: true, false or attributes such as mode=max are'],
    ['provenance', 'yes', '"yes" is not allowed'],
    ['provenance', 'mode=all', 'provenance: mode is "all": min or max is allowed'],
    ['provenance', 'mod=max', 'provenance: "mod" is no attribute; did you mean mode?'],
    ['provenance', 'mode=max,true', 'provenance: "true" is not KEY=VALUE'],
    ['provenance', 'mode=max,"x', 'a double quote must enclose'],
    ['sbom', 'syft', 'sbom: "syft" is not allowed: true, false or attributes such as generator=IMAGE are'],
    ['sbom', 'generator=', 'sbom: "generator" has no value'],
    ['network', 'nat', 'network: "nat" is not allowed: default, none, host are'],
    ['ulimit', 'nofile', 'ulimit: "nofile" is no ulimit'],
    ['shm-size', 'big', 'shm-size: "big" is no size'],
    ['add-hosts', 'a:1.1.1.1,b', 'add-hosts: "b" is no host with its address'],
    ['allow', 'network.hots', 'allow: "network.hots" is no entitlement'],
    ['cgroup-parent', 'a\0b', 'cgroup-parent: "a\ufffdb" holds control characters'],
    ['attests', 'type=sbmo', 'attests: "sbmo" is no type of attestation'],
    ['context', 'https://me:hunter2@github.com/acme/app.git#main', 'context: is a URL with credentials in it'],
    ['context', 'https://example.com/app.tar.gz', 'context: is a URL that does not end in .git; a directory or'],
    ['context', '-', 'context: "-" is a context from standard input'],
    ['build-contexts', 'src=https://me:hunter2@github.com/acme/app.git', '"src" is a URL with credentials in it'],
    ['build-contexts', 'src=https://me:hunter2@example.com/app.tar', '"src" is a URL with credentials in it'],
  ])('%s: %j is refused up front', (name, value, problem) => {
    expect(problemOf({ [name]: value })).toContain(problem);
    expect(problemOf({ [name]: value })).not.toContain('hunter2');
  });

  it.each([
    ['provenance', 'TRUE', 'true'],
    ['provenance', ' false ', 'false'],
    ['provenance', 'mode=max', 'mode=max'],
    ['provenance', 'mode=min,inline-only=true,version=v1', 'mode=min,inline-only=true,version=v1'],
    ['provenance', 'disabled=true', 'disabled=true'],
    ['provenance', '"builder-id=https://a/?b,c"', '"builder-id=https://a/?b,c"'],
    ['sbom', 'true', 'true'],
    ['sbom', 'generator=docker/scout-sbom-indexer:latest', 'generator=docker/scout-sbom-indexer:latest'],
    ['network', 'none', 'none'],
    ['network', 'host', 'host'],
    ['context', './a:b', './a:b'],
    ['context', ' https://github.com/acme/app.git#main:app ', 'https://github.com/acme/app.git#main:app'],
  ])('%s: %j is taken', (name, value, expected) => {
    const { options, problems } = parseOptions({ [name]: value });
    expect(problems).toEqual([]);
    expect(options).toMatchObject({ [name]: expected });
  });
});

it('values come out parsed', () => {
  const { options, problems } = parseOptions({
    platforms: 'linux/amd64,linux/arm64/v8\nlinux/arm',
    'build-args': 'A=1,2\nB\n"C=x\ny"',
    secrets: 'ID=va=lue',
    'secret-envs': 'a=A,b=B',
    labels: 'a=b',
    'max-age': '30d',
    'hash-salt': ' 2 ',
    'hash-scope': ' manifests ',
    base: 'tag',
    'add-hosts': 'a:1.1.1.1,b:2.2.2.2',
    ulimit: 'nofile=1024:1024',
    attests: 'type=sbom,generator=x',
  });
  expect(problems).toEqual([]);
  expect(options).toMatchObject({
    platforms: [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ],
    buildArgs: ['A=1,2', 'B', 'C=x\ny'],
    secrets: [{ id: 'ID', value: 'va=lue' }],
    secretEnvs: [
      { id: 'a', env: 'A' },
      { id: 'b', env: 'B' },
    ],
    labels: ['a=b'],
    maxAge: 2_592_000_000,
    hashSalt: '2',
    hashScope: 'manifests',
    base: 'tag',
    addHosts: ['a:1.1.1.1', 'b:2.2.2.2'],
    ulimit: ['nofile=1024:1024'],
    attests: ['type=sbom,generator=x'],
  });
});
