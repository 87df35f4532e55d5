import { describe, expect, it } from 'vitest';
import {
  CommandError,
  isBuildOnceError,
  isRegistryError,
  isUsageError,
  PolicyError,
  RegistryError,
  UsageError,
} from '../src/errors.ts';

describe('an error of a bundle, in which its class has got another name', () => {
  it.each([
    ['RegistryError', new (class a extends RegistryError {})('X', 'x'), isRegistryError],
    ['UsageError', new (class b extends UsageError {})([]), isUsageError],
    ['PolicyError', new (class c extends PolicyError {})('X', 'x'), isBuildOnceError],
    ['CommandError', new (class d extends CommandError {})('X', 'x', { command: 'x' }), isBuildOnceError],
  ] as const)('is known as %s', (name, error, isKnown) => {
    expect([error.name, isKnown(error)]).toEqual([name, true]);
  });
});
