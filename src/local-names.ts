import { quote } from './core/printable.ts';
import { familiarName, formatRepositoryName, isLocalName } from './core/reference.ts';
import type { Problem } from './errors.ts';
import type { Options } from './options.ts';

/** What cannot be with names that lead to no registry, `images: myapp`: neither a push nor a cache beside the image. Pure. */
export function findLocalNameProblems({
  images,
  push,
  cache,
}: Pick<Options, 'images' | 'push' | 'cache'>): readonly Problem[] {
  const names = images.filter(isLocalName).map((name) => familiarName(formatRepositoryName(name)));
  const pushed = push ? names : [];
  const [first] = images;
  return [
    ...pushed.map((name) => ({
      input: 'images',
      message: `${quote(name)} names no registry: ghcr.io/OWNER/${name}, docker.io/OWNER/${name}, or push: false with load: true for the local engine`,
    })),
    ...(cache === 'registry' && first !== undefined && isLocalName(first)
      ? [
          {
            input: 'cache',
            message: `registry needs a registry, and ${quote(names[0] ?? '')} names none: gha or none is allowed`,
          },
        ]
      : []),
  ];
}
