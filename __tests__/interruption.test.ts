import { expect, it } from 'vitest';
import { BuildOnceError, PolicyError, RegistryError } from '../src/errors.ts';
import { orInterruption } from '../src/interruption.ts';

const cut = new RegistryError('ABORTED', 'POST https://a/v2/: the run was interrupted');
const interrupted = new BuildOnceError('INTERRUPTED', 'interrupted by SIGINT', 1);

it('an interruption is told by its own name, whatever it cut', () => {
  expect(orInterruption(cut, AbortSignal.abort(interrupted))).toBe(interrupted);
  expect(orInterruption(new Error('killed'), AbortSignal.abort(interrupted))).toBe(interrupted);
  expect(orInterruption(cut, AbortSignal.abort('why not'))).toMatchObject({
    code: 'INTERRUPTED',
    cause: cut,
    hint: 'Run it again: it goes on where this run stopped.',
  });
});

it('what failed by itself, or was refused, keeps its name', () => {
  expect(orInterruption(cut, new AbortController().signal)).toBe(cut);
  const refused = new PolicyError('IMMUTABLE_TAG_EXISTS', 'no');
  expect(orInterruption(refused, AbortSignal.abort(interrupted))).toBe(refused);
});
