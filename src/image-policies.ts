import { findDockerfile } from './context.ts';
import { cacheReferences } from './core/build-options.ts';
import { findImageViolations, findUntrusted, hasImagePolicy, type ImagePolicy } from './core/image-policy.ts';
import { quote, toLine } from './core/printable.ts';
import { formatRepositoryName, isLocalName } from './core/reference.ts';
import { isGitSource } from './core/remote-source.ts';
import { type DockerfileInputs, readDockerfile } from './dockerfile-inputs.ts';
import { isUsageError, PolicyError, type Problem, UsageError } from './errors.ts';
import { contextImages } from './hashed-images.ts';
import type { Location } from './host.ts';
import type { Options } from './options.ts';
import type { Run } from './stage.ts';

/** One thing that a policy forbids, and where the Dockerfile has it. */
interface Violation {
  readonly message: string;
  readonly line: number | undefined;
}

/** What breaks `trusted-registries` and `require-digest-pins`. */
interface Violations {
  readonly problems: readonly Problem[];
  /** The first line of the Dockerfile to blame. */
  readonly at?: Location | undefined;
}

/** How many places of a Dockerfile are named. */
const MAX_NAMED = 100;

/**
 * All that breaks the policies, as far as the inputs and the Dockerfile alone tell; where a policy is set, a Dockerfile that
 * BuildKit would refuse as well. That of a git context is not there yet.
 */
export function findPolicyProblems(setting: Pick<Run, 'options' | 'platforms' | 'host'>): Violations {
  const { options, host } = setting;
  if (!hasImagePolicy(options)) return { problems: [] };
  const targets = findUntrustedTargets(options);
  const isLocal = !isGitSource(options.context);
  const dockerfile = isLocal ? findDockerfile(host.files, options.context, options.file) : undefined;
  if (dockerfile === undefined) return { problems: targets };
  try {
    const { problems, at } = findViolations(options, dockerfile, readDockerfile(dockerfile, setting));
    return { problems: [...targets, ...problems], at };
  } catch (error) {
    // What else there is comes again when the run reads the file for the hash.
    return isUsageError(error) ? { problems: [...targets, ...error.problems], at: error.at } : { problems: targets };
  }
}

/** UsageError with all that the Dockerfile names against the policies. */
export function refuseViolations(policy: ImagePolicy, dockerfile: string, read: DockerfileInputs): void {
  const { problems, at } = findViolations(policy, dockerfile, read);
  if (problems.length > 0) throw new UsageError(problems, at === undefined ? {} : { at });
}

/** PolicyError `POLICY_VIOLATION` with all that only the triggers of base images have brought in. */
export function refuseTriggered(policy: ImagePolicy, dockerfile: string, read: DockerfileInputs): void {
  const { problems } = findViolations(policy, dockerfile, read);
  refuse(
    'the ONBUILD triggers of a base image reach what a policy forbids',
    problems.map(({ message }) => message),
  );
}

/** PolicyError `POLICY_VIOLATION` where a policy is set and triggers may bring in what nobody sees. */
export function refuseUnseen(policy: ImagePolicy, dockerfile: string, unseen: readonly Violation[]): void {
  if (!hasImagePolicy(policy)) return;
  refuse(
    'nobody can say which images the build reads, and a policy is set for them',
    unseen.map(({ message, line }) => `${placeOf(dockerfile, line)}${message}`),
  );
}

function refuse(what: string, messages: readonly string[]): void {
  if (messages.length === 0) return;
  throw new PolicyError('POLICY_VIOLATION', `${what}: ${messages.join('; ')}`, {
    hint: 'Take another base image, or change trusted-registries or require-digest-pins.',
  });
}

function findViolations(policy: ImagePolicy, dockerfile: string, read: DockerfileInputs): Violations {
  if (!hasImagePolicy(policy)) return { problems: [] };
  const contexts = contextImages(read.contexts).flatMap(({ reference }) =>
    findImageViolations(reference, policy).map((message) => ({ input: 'build-contexts', message })),
  );
  const places = read.unseen === undefined ? findPlaces(policy, read) : [describeUnseen(read.unseen)];
  const problems = places.slice(0, MAX_NAMED).map(({ message, line }): Problem => {
    const place = placeOf(dockerfile, line);
    return { input: place === '' ? 'build-args' : 'file', message: `${place}${message}` };
  });
  const rest = places.length - problems.length;
  const more = rest > 0 ? [{ input: 'file', message: `${rest} more in ${quote(dockerfile)}` }] : [];
  const line = places.find((place) => place.line !== undefined)?.line;
  return {
    problems: [...contexts, ...problems, ...more],
    at: line === undefined ? undefined : { file: dockerfile, line },
  };
}

/** Each once, whatever the platforms. */
function findPlaces(policy: ImagePolicy, { images }: DockerfileInputs): readonly Violation[] {
  const uses = new Map(images.map((use) => [`${use.line} ${use.reference}`, use]));
  return [...uses.values()].flatMap(({ reference, line }) =>
    findImageViolations(reference, policy).map((message) => ({ message, line })),
  );
}

function describeUnseen({ message, line }: Violation): Violation {
  return { message: `${message}, so that nobody can say which images it names, and a policy is set for them`, line };
}

/** Only the frontend may be named outside of the file, by a build arg. */
function placeOf(dockerfile: string, line: number | undefined): string {
  return line === undefined ? '' : `${toLine(dockerfile)}:${line}: `;
}

/** Where the run looks for its image, pushes it, and keeps caches; a cache brings content as a base image does. */
function findUntrustedTargets(options: Options): readonly Problem[] {
  const images = options.images.filter((name) => !isLocalName(name)).map(formatRepositoryName);
  const named = [
    ...images.map((reference) => ({ input: 'images', reference })),
    ...cacheReferences(options.cacheFrom).map((reference) => ({ input: 'cache-from', reference })),
    ...cacheReferences(options.cacheTo).map((reference) => ({ input: 'cache-to', reference })),
  ];
  return named.flatMap(({ input, reference }) => {
    const message = findUntrusted(reference, options);
    return message === undefined ? [] : [{ input, message }];
  });
}
