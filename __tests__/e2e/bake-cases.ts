/** Files, what is asked of them, and the environment, all of which real bake takes too. */
export interface BakeCase {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly targets?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Only buildx can read it; we must know that. */
  readonly beyond?: true;
}

function json(name: string, content: unknown, rest: Omit<BakeCase, 'name' | 'files'> = {}): BakeCase {
  return {
    name,
    files: { 'docker-bake.json': typeof content === 'string' ? content : JSON.stringify(content) },
    ...rest,
  };
}

function target(name: string, attributes: unknown, rest: Omit<BakeCase, 'name' | 'files'> = {}): BakeCase {
  return json(name, { target: { default: attributes } }, rest);
}

function compose(name: string, text: string, rest: Omit<BakeCase, 'name' | 'files'> = {}): BakeCase {
  return { name, files: { 'compose.yaml': text }, ...rest };
}

function build(name: string, text: string, rest: Omit<BakeCase, 'name' | 'files'> = {}): BakeCase {
  return compose(
    name,
    `services: {web: {build: ${text}}}\nsecrets: {file: {file: ./key}, env: {environment: HOME}}`,
    rest,
  );
}

const two = { a: { tags: ['a'], args: { A: '1', B: '1' } }, b: { inherits: ['a'], args: { B: '2' } } };

export const BAKE_CASES: readonly BakeCase[] = [
  target('an empty target', {}),
  target('context and dockerfile', { context: './sub/../x', dockerfile: 'a/Dockerfile.web', target: 'prod' }),
  target('an empty dockerfile', { dockerfile: '' }),
  target('an inline Dockerfile with signs of templates', {
    'dockerfile-inline': 'FROM a\nRUN echo $${x} %%{y} "$HOME"\n',
  }),
  target('a null attribute', { tags: null, args: null, dockerfile: null }),
  target('args of all kinds', {
    args: { text: 'a', none: null, yes: true, no: false, whole: 12, negative: -3, empty: '' },
  }),
  target('an arg of a broken number', { args: { x: 1.5 } }, { beyond: true }),
  target('a number with an exponent', { args: { x: 1e21 } }, { beyond: true }),
  target('labels', { labels: { 'a.b': 'c', none: null, quoted: '"x", y' } }),
  target('tags that are empty or twice', { tags: ['b', 'a', 'b', ''] }),
  target('platforms', { platforms: ['linux/arm64', 'linux/amd64', 'linux/arm64'] }),
  target('a comment', { '//': 'why', args: { '//': 'kept' } }),
  target('no-cache and pull', { 'no-cache': true, pull: false }),
  target('flags as texts', { 'no-cache': 'true', pull: 'false' }),
  target('no-cache-filter', { 'no-cache-filter': ['a', 'b', 'a'] }),
  target('network host asks for the entitlement', { network: 'host' }),
  target('entitlements', { entitlements: ['security.insecure', 'security.insecure'] }),
  target('shm-size and ulimits', { 'shm-size': '128m', ulimits: ['nofile=1024:1024', 'nproc=3', 'nproc=3'] }),
  target('extra-hosts', { 'extra-hosts': { a: '1.2.3.4', b: 'host-gateway', c: null } }),
  target('annotations', { annotations: ['index,manifest:a=b', 'c=d', 'c=d'] }),
  target('description and call', { description: 'what it is', call: 'check' }),
  target('cache-from as texts', { 'cache-from': ['type=registry,ref=x/y', 'x/z', 'type=gha,Scope=q', ''] }),
  target('cache-from as maps', {
    'cache-from': [
      { type: 'registry', ref: 'x/y' },
      { type: 'local', src: 'c' },
    ],
  }),
  target('the same cache twice', { 'cache-from': ['a', 'b', 'type=registry,ref=a', 'c', 'b', 'd'] }),
  target('cache-to', { 'cache-to': ['type=gha,mode=max', { type: 'inline' }, 'type=local,dest=out'] }),
  target('a cache in CSV with quotes', { 'cache-from': ['type=local,"src=a,b"'] }),
  target('several references in one text', { 'cache-from': ['a,b'] }),
  target('secrets', {
    secret: [
      'id=a,src=key',
      'id=b,env=HOME',
      'type=env,id=HOME',
      'type=file,id=c,source=key',
      { id: 'd', env: 'HOME' },
      { id: 'e', src: 'key' },
    ],
  }),
  target('a secret by its id alone', { secret: ['id=HOME'] }),
  target('a secret as a map with a type', { secret: [{ type: 'env', id: 'a', env: 'HOME' }] }),
  target('the same secret twice', { secret: ['id=a,src=key', 'env=HOME,id=b', 'src=key,id=a'] }),
  target('outputs', { output: ['type=image,name=x,push=true', 'type=docker', { type: 'registry' }] }),
  target('outputs that are files', {
    output: ['out', 'type=tar,dest=x.tar', 'type=oci,dest=y.tar', { type: 'local', dest: 'z' }],
  }),
  target('attest as texts', { attest: ['type=provenance,mode=max', 'type=sbom,generator=x/y'] }),
  target('attest as maps', {
    attest: [
      { type: 'provenance', mode: 'min' },
      { type: 'sbom', disabled: true },
    ],
  }),
  target('attestations of one type', {
    attest: ['type=provenance,mode=max', 'type=sbom', 'type=provenance,disabled=true'],
  }),
  target('an empty list', { tags: [], 'cache-from': [], platforms: [] }),
  target('remote contexts', {
    context: 'https://github.com/acme/app.git#main:sub',
    contexts: { a: 'docker-image://alpine', b: 'cwd://x', c: '' },
  }),
  target('texts with decomposed letters', { args: { 'e\u0301': 'e\u0301' } }),
  target('matrix', { name: 't-${x}', matrix: { x: ['a', 'b'] } }, { beyond: true }),
  target('a function', { tags: ['x:${upper("a")}'] }, { beyond: true }),
  target('a directive', { tags: ['x:%{ if true }a%{ endif }'] }, { beyond: true }),
  target('a variable of buildx', { args: { x: '${BAKE_CMD_CONTEXT}' } }, { beyond: true }),
  json(
    'a reference to another target',
    { target: { default: { tags: ['${target.b.context}'] }, b: { context: 'z' } } },
    { beyond: true },
  ),
  json(
    'top-level attributes as variables',
    { TAG: 'x', target: { default: { tags: ['a:${TAG}'] } } },
    { beyond: true },
  ),
  json('blocks in a list', '{"target":{"default":[{"tags":["x"]},{"args":{"a":"b"}}]}}', { beyond: true }),
  json('a target said twice', '{"target":{"default":{"tags":["x"]},"default":{"args":{"x":"y"}}}}'),
  json('target blocks twice', '{"target":{"default":{"tags":["x"]}},"target":{"default":{"args":{"x":"y"}}}}'),
  json('inheritance', { target: two }, { targets: ['b'] }),
  json(
    'inheritance of several',
    {
      target: { a: { args: { x: '1' }, tags: ['a'] }, b: { args: { x: '2' }, tags: [] }, c: { inherits: ['a', 'b'] } },
    },
    { targets: ['c'] },
  ),
  json(
    'inheritance in a diamond',
    {
      target: {
        top: { 'cache-from': ['t', 'u'], 'no-cache-filter': ['t'] },
        left: { inherits: ['top'], 'cache-from': ['l'], ulimits: ['nproc=1'] },
        right: { inherits: ['top'], 'cache-from': ['t', 'r'], ulimits: ['nproc=2'] },
        low: { inherits: ['left', 'right'], 'cache-to': ['type=inline'], attest: ['type=sbom'] },
      },
    },
    { targets: ['low'] },
  ),
  json(
    'what is inherited in lists',
    {
      target: {
        a: {
          secret: ['id=a,src=key'],
          annotations: ['a=b'],
          entitlements: ['security.insecure'],
          output: ['type=docker'],
          'cache-to': ['type=inline'],
          attest: ['type=sbom'],
        },
        b: {
          inherits: ['a'],
          secret: ['id=HOME,env=HOME'],
          annotations: ['c=d', 'a=b'],
          output: [],
          'cache-to': ['type=local,dest=x'],
          attest: [{ type: 'sbom', disabled: true }],
        },
      },
    },
    { targets: ['b'] },
  ),
  json(
    'null takes nothing back',
    {
      target: {
        a: { args: { x: '1' }, labels: { l: '1' } },
        b: { inherits: ['a'], args: { x: null }, labels: { l: null } },
      },
    },
    { targets: ['b'] },
  ),
  json(
    'an empty text takes a context back',
    { target: { a: { contexts: { x: 'docker-image://a' } }, b: { inherits: ['a'], contexts: { x: '' } } } },
    { targets: ['b'] },
  ),
  json(
    'host network that was taken back leaves its entitlement',
    { target: { a: { network: 'host' }, b: { inherits: ['a'], network: 'none' } } },
    { targets: ['b'] },
  ),
  json('groups in groups', {
    group: { default: { targets: ['g', 'c'] }, g: { targets: ['a', 'b'], description: 'x' } },
    target: { ...two, c: {} },
  }),
  json('a group by name', { group: { g: { targets: ['a', 'b'] } }, target: two }, { targets: ['g', 'a'] }),
  json('a group of the name of its target', { group: { a: { targets: ['a', 'b'] } }, target: two }, { targets: ['a'] }),
  json(
    'a pattern',
    { group: { g: { targets: ['b'] } }, target: { 'api-one': {}, 'api-two': {}, web: {}, b: {} } },
    { targets: ['api-*', '?'] },
  ),
  json('a default target', { target: { default: {}, other: {} } }),
  json('neither group nor target by default', { target: { one: {}, two: {} } }, { targets: ['*'] }),
  json(
    'links',
    {
      target: {
        a: { contexts: { base: 'target:b' } },
        b: { contexts: { c: 'target:c' }, output: ['out'] },
        c: { entitlements: ['security.insecure'] },
      },
    },
    { targets: ['a'] },
  ),
  json(
    'a link to what is asked for as well',
    { target: { a: { contexts: { base: 'target:b' } }, b: { tags: ['b'] } } },
    { targets: ['a', 'b'] },
  ),
  json('variables', {
    variable: { TAG: { default: 'v1' }, NONE: {}, FULL: { default: 'x/${TAG}' } },
    target: { default: { tags: ['a:${TAG}', '${FULL}', 'n${NONE}'] } },
  }),
  json(
    'variables from the environment',
    {
      variable: { TAG: { default: 'v1' }, NONE: {}, N: { default: 3 }, B: { default: false } },
      target: { default: { tags: ['a:${TAG}-${N}-${B}', 'n${NONE}'], 'no-cache': '${B}' } },
    },
    { env: { TAG: 'v2', NONE: 'x', N: '17', B: '1' } },
  ),
  json(
    'an empty variable in the environment',
    { variable: { TAG: { default: 'v1' } }, target: { default: { tags: ['a:x${TAG}'] } } },
    { env: { TAG: '' } },
  ),
  json(
    'a variable that is null, from the environment',
    { variable: { TAG: { default: null } }, target: { default: { tags: ['a:${TAG}'] } } },
    { env: { TAG: 'x' } },
  ),
  json(
    'a list as a variable',
    { variable: { TAGS: { default: ['a', 'b'] } }, target: { default: { tags: '${TAGS}' } } },
    { beyond: true },
  ),
  json(
    'a variable with a validation',
    {
      variable: { TAG: { default: 'a', validation: { condition: '${TAG != ""}', error_message: 'x' } } },
      target: { default: {} },
    },
    { beyond: true },
  ),
  json(
    'a broken number in the environment',
    { variable: { N: { default: 3 } }, target: { default: { tags: ['a:${N}'] } } },
    { env: { N: '5.50' }, beyond: true },
  ),
  json('escapes', {
    variable: { A: { default: '$${x}%%{y}' } },
    target: { default: { args: { a: '${A}', b: '$A $$A %', c: '${ A }' } } },
  }),
  { name: 'HCL', files: { 'docker-bake.hcl': 'target "default" {\n  tags = ["a:${upper("x")}"]\n}\n' }, beyond: true },
  {
    name: 'a file over another',
    files: {
      'docker-bake.json': JSON.stringify({
        variable: { T: { default: '1' } },
        target: { default: { tags: ['a:${T}'], args: { A: '1' } } },
      }),
      'docker-bake.override.json': JSON.stringify({
        variable: { T: { default: '2' } },
        target: { default: { args: { B: '2' }, platforms: ['linux/amd64'] } },
      }),
    },
  },
  {
    name: 'groups over another',
    files: {
      'a.json': JSON.stringify({ group: { default: { targets: ['a'] } }, target: two }),
      'b.json': JSON.stringify({ group: { default: { targets: ['b'] } } }),
    },
  },
  {
    name: 'JSON over compose',
    files: {
      'docker-bake.json': JSON.stringify({ target: { web: { tags: ['q'], args: { X: '1' } } } }),
      'compose.yaml': 'services: {web: {build: {context: d, tags: [z], args: {Y: 2}}}, v: {build: .}}',
    },
  },
  {
    name: 'HCL over compose',
    files: {
      'docker-bake.hcl': 'target "web" { tags = ["q"] }',
      'compose.yaml': 'services: {web: {build: {context: d}}}',
    },
    beyond: true,
  },
  {
    name: 'compose files of several services',
    files: { 'a.yaml': 'services: {a: {build: a}}', 'b.yml': 'services: {b: {build: ./b}}' },
  },
  {
    name: 'compose files of one service',
    files: { 'a.yaml': 'services: {a: {build: a}}', 'b.yml': 'services: {a: {image: x}}' },
    beyond: true,
  },
  {
    name: 'a compose file elsewhere',
    files: { 'sub/compose.yaml': 'services: {a: {build: {context: ./a, secrets: [s]}}}\nsecrets: {s: {file: ./key}}' },
  },

  compose(
    'services',
    'services:\n  web: {build: ./dir, image: x/y}\n  "a.b": {build: {context: ../z/./q, dockerfile: sub/../D, target: t}}\n  db: {image: z}\n',
  ),
  compose('a service by name', 'services: {a: {build: .}, b: {build: b}}', { targets: ['b'] }),
  compose('a service with a dot by name', 'services: {"a.c": {build: .}, b: {build: b}}', { targets: ['a.c'] }),
  compose('profiles', 'services: {web: {build: ., profiles: [p]}}'),
  compose(
    'keys that bake reads over',
    'version: "3"\nname: foo\nx-a: 1\nservices: {web: {build: ., ports: ["80:80"], depends_on: [db]}, db: {image: z}}',
  ),
  compose(
    'an image and tags',
    'services: {a: {build: {tags: [q]}, image: z}, b: {build: {}, image: y}, c: {build: ""}}',
  ),
  compose(
    'anchors and merged maps',
    'x-c: &c {context: d, args: {A: 1}}\nservices: {a: {build: {<<: *c, args: {B: 2}}}, b: {build: *c}, c: {build: {<<: [*c, {target: t, context: e}]}}}',
  ),
  compose(
    'environment for args',
    'services:\n  a: {environment: {B: envb, C: }, build: {args: [B, C, D, HOME]}}\n  b: {environment: [E=enve, F], build: {args: {E: , F: , G: }}}\n',
    { env: { F: 'f', C: 'c' } },
  ),
  compose('an env_file', 'services: {a: {env_file: x.env, build: {args: [B]}}}', { beyond: true }),
  compose('extends', 'services: {a: {extends: {service: b}, build: .}, b: {build: {args: {x: y}}}}', { beyond: true }),
  compose('a tag of YAML', 'services: {a: {build: {context: !!str x}}}', { beyond: true }),
  compose(
    'block texts',
    'services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM scratch\n        RUN echo $$x\n      args:\n        A: >-\n          one\n          two\n',
  ),
  compose('a .env file', 'services: {a: {build: {args: {A: "$A", B: "$B", C: "$C", D: "${D}", E: "$E", F: "$F"}}}}', {
    env: { F: 'outer' },
  }),
  build('args as a list', '{args: [A=1, B, HOME, "C=", "D=a=b"]}'),
  build('args as a map', '{args: {A: 1, B: , C: true, HOME: , E: "x y", F: "007"}}'),
  build('a float in args', '{args: {A: 1.10}}', { beyond: true }),
  build('a hexadecimal number in args', '{args: {A: 0x10}}', { beyond: true }),
  build(
    'numbers that are texts',
    '{args: {A: 1.2.3, B: 3.20-alpine, C: 10.0.0.1, D: linux/amd64, E: yes, F: on, G: "0x10"}}',
  ),
  build('an underscore in a number', '{args: {A: 1_000}}', { beyond: true }),
  build('labels', '{labels: [l=1, m, "n=a=b"]}'),
  build('labels as a map', '{labels: {l: 1, m: , n: true}}'),
  build('switches', '{no_cache: true, pull: "true"}'),
  build('switches that are off', '{no_cache: false, pull: false}'),
  build('caches', '{cache_from: [x/y, "type=local,src=c", "b,c"], cache_to: ["type=local,dest=c"]}'),
  build('network and platforms', '{network: host, platforms: [linux/arm64, linux/amd64]}'),
  build('extra hosts', '{extra_hosts: ["a:1.2.3.4", "b=::1", "a=5.6.7.8"]}'),
  build('extra hosts as a map', '{extra_hosts: {a: 1.2.3.4, b: [1.1.1.1, 2.2.2.2]}}'),
  build(
    'contexts',
    '{additional_contexts: [a=b, "b=./q/../z", "c=docker-image://alpine", "d=https://x/y.git", "e=/abs"]}',
  ),
  compose(
    'contexts that are services',
    'services: {a: {build: {additional_contexts: {x: "service:b.c", y: "target:d"}}}, "b.c": {build: b}, d: {build: d}}',
    { targets: ['a'] },
  ),
  build('secrets', '{secrets: [file, {source: env, target: x}]}'),
  build('sizes', '{shm_size: 1gb}'),
  build('a size in bytes', '{shm_size: "1000"}'),
  build('an odd size', '{shm_size: 67108865}', { beyond: true }),
  build('ulimits', '{ulimits: {nproc: {soft: 1, hard: 2}, nofile: {soft: 3, hard: 4}}}'),
  build('a ulimit as a number', '{ulimits: {nproc: 65535}}', { beyond: true }),
  build('attestations', '{provenance: mode=max, sbom: true}'),
  build('attestations that are off', '{provenance: false}'),
  build('what bake has no use for', '{privileged: true, isolation: x, entitlements: [network.host], x-mine: 1}'),
  build(
    'x-bake',
    '{tags: [z], platforms: [linux/amd64], x-bake: {tags: [a, z], cache-from: "x y", platforms: "linux/amd64 linux/arm64", output: type=docker, pull: true, no-cache-filter: [q], secret: ["id=a,src=key", "id=b,env=HOME"], no-cache: false, cache-to: [type=inline]}}',
  ),
  compose(
    'x-bake with contexts',
    'services: {a: {build: {additional_contexts: {x: ./y}, x-bake: {contexts: {x: other, b: "service:b"}}}}, b: {build: .}}',
  ),
  compose(
    'x-bake without tags',
    'services: {a: {image: i, build: {x-bake: {tags: []}}}, b: {image: i, build: {x-bake: {tags: [q]}}}}',
  ),
  build('interpolation', '{context: "$A-${B:-x}-${C-y}-${D:+z}-${HOME:+z}-$$-${E:-a$$b}-${A+q}"}', {
    env: { A: '', C: '' },
  }),
  build('an error in an interpolation', '{context: "${HOME:?must}"}', { beyond: true }),
  build('a nested default', '{context: "${A:-${B:-c}}"}', { beyond: true }),
  build('keys are not interpolated', '{args: {"${HOME}": x}}'),
  build('an address', '{context: "https://github.com/a/b.git#main:d"}'),
  build('a path from home', '{context: ~/x}', { beyond: true }),
];
