import { expect, it } from 'vitest';
import { findLocalNameProblems } from '../src/local-names.ts';
import { parseOptions, type RawOptions } from '../src/options.ts';

it.each<[RawOptions, readonly (readonly [input: string, message: RegExp])[]]>([
  [{ images: 'myapp', push: 'false' }, []],
  [{ images: 'acme/app\nghcr.io/acme/app' }, []],
  [{ images: 'ghcr.io/acme/app', cache: 'registry' }, []],
  [{ images: 'myapp', push: 'false', cache: 'gha' }, []],
  [{ images: 'myapp' }, [['images', /^"myapp" names no registry: .*push: false with load: true/]]],
  [{ images: 'docker.io/library/myapp' }, [['images', /^"myapp" names no registry/]]],
  [{ images: 'ghcr.io/acme/app\nmyapp', load: 'true' }, [['images', /^"myapp" names no registry/]]],
  [{ images: 'myapp', push: 'false', cache: 'registry' }, [['cache', /^registry needs a registry, and "myapp"/]]],
])('%o has these problems: %o', (raw, problems) => {
  const { options } = parseOptions(raw);
  const expected = problems.map(([input, message]) => ({ input, message: expect.stringMatching(message) }));
  expect(findLocalNameProblems(options)).toEqual(expected);
});
