/** Why a target is missed. It is told while one of the rows misses its own. */
export interface Shortfall {
  readonly rows: readonly string[];
  readonly title: string;
  /** With the figures of other rows, as in the page's template; a sentence whose figure is not there is left out. */
  readonly sentences: readonly string[];
}

/** What is known of the reasons, in the order of the page. Sentences hold no number that is not a figure. */
export const SHORTFALLS: readonly Shortfall[] = [
  {
    rows: ['cli-head', 'action-head'],
    title: 'A hit against one HEAD through `node:http`',
    sentences: [
      'A process that makes one request and nothing else is {{cli-head.theirs}} here, of which {{cli-empty.theirs}} are Node’s own start.',
      'A hit also loads and compiles its program, reads {{setting.files}} files, and makes {{requests.median}}.',
      'Against a HEAD through `fetch`, which is what a script would use, it is {{cli-fetchhead.median}}.',
    ],
  },
  {
    rows: ['cli-fetchhead', 'action-fetchhead'],
    title: 'A hit against one HEAD through `fetch`',
    sentences: ['A hit also loads and compiles its program and reads {{setting.files}} files.'],
  },
  {
    rows: ['requests'],
    title: 'Requests of a hit',
    sentences: [
      'The one more asks for how long the build took, which the output `seconds-saved` tells. It goes out beside the others, once, and a hit does not wait for it for long.',
    ],
  },
  {
    rows: ['start-empty'],
    title: 'The start',
    sentences: ['It is the loading and compiling of the program, which `node -e 0` ({{start-empty.theirs}}) has not.'],
  },
  {
    rows: ['cached-docker', 'cached-container'],
    title: 'A hit against a warm builder',
    sentences: [
      'A hit hashes exactly what the target reads; of its {{cached-docker.ours}}, {{start-empty.ours}} are the start of the program (`dist/cli.js version`).',
      'A builder that has everything is asked by a program that is compiled already.',
    ],
  },
  {
    rows: ['fresh-large', 'fresh-small'],
    title: 'A new builder',
    sentences: [
      'Its registry is on the same machine, so that the layers cost it little: the new builder needed {{fresh-large.theirs}} with the {{setting.large-app}} app and {{fresh-small.theirs}} without. The targets assumed a network.',
    ],
  },
  {
    rows: ['push-crane'],
    title: 'A push against `crane push`',
    sentences: [
      'With the registry on the same processors, what counts is processor time. crane lets the kernel send the files and does not look at them; ours checks the digest of every byte before the upload is completed.',
      'Reading and hashing those files in a process of Node costs {{push-hash.ours}}, where one that does nothing takes {{push-hash.theirs}}.',
      "Where the network is the limit, the difference goes. As root, on a loopback of its own: `unshare -n sh -c 'ip link set lo up; tc qdisc add dev lo root tbf rate 1gbit burst 256kb limit 64mb; npm run bench -- --only push-crane'`.",
    ],
  },
  {
    rows: ['push-docker', 'push-memory-ours'],
    title: 'A push',
    sentences: ['The digest of every byte is checked before the upload is completed, and several layers go at once.'],
  },
  {
    rows: ['miss-docker-cached', 'miss-docker-cold', 'miss-docker-container-cached', 'miss-docker-container-cold'],
    title: 'A miss',
    sentences: [
      'It hashes, looks into the registry, and loads the code for building.',
      'Before it builds, it asks buildx what the builder can do: `docker buildx inspect` is {{miss-inspect.ours}}, where `docker buildx version` is {{miss-inspect.theirs}}.',
    ],
  },
  {
    rows: ['hash-100k-sha256sum'],
    title: 'The hash of many files against `sha256sum`',
    sentences: [
      'What takes the time is to open, read and close each file, and both have to. `sha256sum` does it on one processor, ours on two; but listing the directories, and writing down and hashing what was read, is done by one.',
    ],
  },
  {
    rows: ['many-plan'],
    title: 'A plan of many images',
    sentences: [
      'The time is with {{many-plan-requests.median}} and their answers, which a registry gives on the same processors; hashing alone is {{hash-many.median}}.',
    ],
  },
];
