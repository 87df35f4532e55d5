import type { ContextNames } from './context.ts';
import type { Digest } from './core/digest.ts';
import type { IgnoreMatcher } from './core/dockerignore.ts';
import type { FileDigest, Files } from './host.ts';
import type { ImageConfig } from './oci/types.ts';
import type { FoundImage } from './registry/image.ts';

/** Does the work of a name once, and hands its result to all who ask for that name. What it throws is not kept. */
export type Once<T> = (name: string, work: () => T) => T;

/**
 * What the images of one run have in common: each file is read once for all of them, each directory listed once, each name of
 * an image asked for once, also where several ask at the same time. It shows what is there as it was at the first look, so
 * whoever wants to know what has changed since takes another one.
 */
export interface SharedWork {
  /** What is read through it is kept; the rest goes to the files behind it. */
  readonly files: Files;
  /** Ignore files, by their paths as they were given. */
  readonly matchers: Once<IgnoreMatcher>;
  /** The walks, by what decides on them. */
  readonly names: Once<ContextNames>;
  /** What stands behind the names of images. An error is that of all who ask. */
  readonly digests: Once<Promise<Digest | undefined>>;
  /** Manifests of base images, by their repository and digest; `undefined` for what is no image. */
  readonly images: Once<Promise<FoundImage | 'not-found' | undefined>>;
  /** Their configurations, in the same way. */
  readonly configs: Once<Promise<ImageConfig | undefined>>;
  /** Why a branch's tag is not for this run to move, by branch and time: an answer grows old. */
  readonly branches: Once<Promise<string | undefined>>;
}

/** Nothing is known yet. For runs that reach the same registries with the same credentials. */
export function createSharedWork(files: Files): SharedWork {
  return {
    files: readOnce(files),
    matchers: once(),
    names: once(),
    digests: once(),
    images: once(),
    configs: once(),
    branches: once(),
  };
}

function once<T>(): Once<T> {
  const done = new Map<string, { readonly result: T }>();
  return (name, work) => {
    const known = done.get(name);
    if (known !== undefined) return known.result;
    const result = work();
    done.set(name, { result });
    return result;
  };
}

/** For fewer, to look which of them are known already takes longer than it saves. */
const MANY_FILES = 1000;

function readOnce(files: Files): Files {
  // Most paths are whole, and there are many.
  const inFull = (path: string): string => (files.path.isAbsolute(path) ? path : files.resolve(path));
  const perPath = <T>(read: (path: string) => T): ((path: string) => T) => {
    const known = once<T>();
    return (path) => known(inFull(path), () => read(path));
  };
  const digests = new Map<string, FileDigest>();
  return {
    ...files,
    // A Dockerfile is often copied as well.
    read: perPath((path) => {
      const file = files.readDigested(path);
      if (file !== undefined) digests.set(inFull(path), file.digest);
      return file?.bytes;
    }),
    readText: perPath((path) => files.readText(path)),
    digest(path) {
      const at = inFull(path);
      const digest = digests.get(at) ?? files.digest(path);
      digests.set(at, digest);
      return digest;
    },
    readingAhead({ count, pathAt }, work) {
      if (count < MANY_FILES) return work();
      const unread = Array.from({ length: count }, (_, at) => pathAt(at)).filter((path) => !digests.has(path));
      return files.readingAhead({ count: unread.length, pathAt: (at) => unread[at] ?? '' }, work);
    },
    list: perPath((path) => files.list(path)),
    kindOf: perPath((path) => files.kindOf(path)),
    readLink: perPath((path) => files.readLink(path)),
  };
}
