import { describe, expect, it } from 'vitest';
import { parseRepositoryName } from '../../src/core/reference.ts';
import { parseOptions } from '../../src/options.ts';
import { readPolicies } from '../../src/retention/policies.ts';
import { sampleRun } from '../support/sample-run.ts';

const NAME = parseRepositoryName('acme/app');
const policyOf = (inputs: Readonly<Record<string, string>>): string | undefined => {
  if (!NAME.ok) throw new Error(NAME.problem);
  return readPolicies(sampleRun({ options: parseOptions(inputs).options }), undefined).of(NAME.value)?.text;
};

describe('without retention', () => {
  it('three images of each repository of the local engine stay, and three without a tag', () => {
    expect(policyOf({ local: 'true' })).toBe('*: keep 3\nuntagged: keep 3');
    expect(policyOf({ local: 'true', retention: '*: keep 5' })).toBe('*: keep 5');
  });

  it('nothing is deleted elsewhere', () => {
    expect(policyOf({})).toBeUndefined();
  });
});
