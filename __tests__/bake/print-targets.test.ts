import { expect, it } from 'vitest';
import { printArguments } from '../../src/bake/print-targets.ts';

it.each([
  [
    { files: ['docker-bake.hcl', '-x.json'], targets: ['a', '--push'] },
    ['--file', 'docker-bake.hcl', '--file', '-x.json', '--', 'a', '--push'],
  ],
  [{ files: [], targets: [] }, ['--']],
])('buildx prints %j and builds nothing', (request, args) => {
  expect(printArguments(request)).toEqual(['buildx', 'bake', '--print', '--progress=quiet', ...args]);
});
