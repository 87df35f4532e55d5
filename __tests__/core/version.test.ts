import { describe, expect, it } from 'vitest';
import { parsePep440Version, parseVersion, tagForm, versionOfTag } from '../../src/core/version.ts';

describe('semantic versions', () => {
  it.each([
    ['v1.2.3', 'v', '1.2.3', true],
    ['1.2.3', 'v', '1.2.3', true],
    ['v1.2.3-rc.1+b5', 'v', '1.2.3-rc.1+b5', false],
    ['v1.2.3+b5', 'v', '1.2.3+b5', true],
    ['app/v1.2.3', 'app/v', '1.2.3', true],
    ['app/v1.2.3', 'app/', '1.2.3', true],
    ['pkg@1.2.3', 'pkg@', '1.2.3', true],
    ['1.2.3', '', '1.2.3', true],
  ])('%s with the prefix %j is %s', (text, prefix, expected, stable) => {
    expect(parseVersion(text, prefix)).toMatchObject({ scheme: 'semver', text: expected, stable });
  });

  it.each([
    ['1.2', 'v'],
    ['vv1.2.3', 'v'],
    ['app/vv1.2.3', 'app/v'],
    ['01.2.3', 'v'],
    ['1.2.3.4', 'v'],
    [' 1.2.3', 'v'],
    ['1.2.3\n', 'v'],
    ['=1.2.3', 'v'],
    ['1.2.3', 'app/v'],
    ['api/v1.2.3', 'app/v'],
    ['99999999999999999999.0.0', 'v'],
    [`1.2.3-${'a'.repeat(300)}`, 'v'],
    ['1'.repeat(1_000_000), 'v'],
    ['', 'v'],
  ])('%j with the prefix %s is none', (text, prefix) => {
    expect(parseVersion(text, prefix)).toBeUndefined();
  });
});

describe('versions by PEP 440, in their normal form', () => {
  it.each([
    ['1.2.3', '1.2.3', true],
    ['v1.2', '1.2', true],
    ['1', '1', true],
    ['1.2.3.4', '1.2.3.4', true],
    ['1!2.0', '1!2.0', true],
    ['01.02', '1.2', true],
    ['1.2.3rc2', '1.2.3rc2', false],
    ['1.2.3-ALPHA_2', '1.2.3a2', false],
    ['1.2.3beta', '1.2.3b0', false],
    ['1.2c3', '1.2rc3', false],
    ['1.2.preview4', '1.2rc4', false],
    ['1.2.3-4', '1.2.3.post4', false],
    ['1.2.3post', '1.2.3.post0', false],
    ['1.2.3.rev5', '1.2.3.post5', false],
    ['1.0dev4', '1.0.dev4', false],
    ['1.0a1.post2.dev3', '1.0a1.post2.dev3', false],
    ['1.2.3+Ubuntu-1_x', '1.2.3+ubuntu.1.x', true],
    ['99999999999999999999rc1', undefined, false],
    ['1.2.3.', undefined, false],
    ['1..2', undefined, false],
    ['', undefined, false],
    ['x1.2', undefined, false],
    ['1.2.3 ', undefined, false],
  ])('%s', (text, expected, stable) => {
    const version = parsePep440Version(text);
    if (expected === undefined) expect(version).toBeUndefined();
    else expect(version).toMatchObject({ scheme: 'pep440', text: expected, stable });
  });
});

describe('tags of a form', () => {
  const plain = tagForm('', '', 'v');
  const affixed = tagForm('x-', '-y', 'v');
  const component = tagForm('', '', 'app/v');
  it.each([
    ['1.2.3', plain, '1.2.3'],
    ['v1.2.3', plain, '1.2.3'],
    ['x-1.2.3-y', affixed, '1.2.3'],
    ['x-v1.2.3-y', affixed, '1.2.3'],
    ['app-v1.2.3', component, '1.2.3'],
    ['v1.2.3', component, undefined],
    ['1.2.3', affixed, undefined],
    ['x-', affixed, undefined],
    ['', plain, undefined],
  ])('%s in %j', (tag, form, expected) => {
    expect(versionOfTag(tag, form, 'semver')?.text).toBe(expected);
  });
});
