import { describe, expect, it } from 'vitest';
import type { PlatformScan } from '../../src/core/findings.ts';
import { mergeScans, placeOf } from '../../src/core/image-findings.ts';
import { platformScan, realScan, secret, vulnerability } from '../support/trivy-reports.ts';

function platformsOf(scans: readonly PlatformScan[]): readonly string[] {
  return mergeScans(scans, undefined).map(
    ({ finding, occurrences }) => `${finding.id} ${occurrences.map(({ platform }) => platform).join(' ')}`,
  );
}

function newIn(scans: readonly PlatformScan[], known: readonly PlatformScan[]): readonly string[] {
  const fresh = mergeScans(scans, known).filter(({ isNew }) => isNew);
  return fresh.map(({ finding, occurrences }) => {
    const where = occurrences.filter(({ isNew }) => isNew).map(({ platform }) => platform);
    return `${finding.id} ${finding.severity} ${where.join(' ')}`;
  });
}

const ARM = 'linux/arm64';

describe('the findings of an image', () => {
  it('are each there once, the worst first, with the platforms that have it', () => {
    expect(platformsOf([realScan('os-amd64'), realScan('os-arm64', ARM)])).toEqual([
      'CVE-2024-5535 linux/arm64',
      'CVE-2023-45853 linux/amd64 linux/arm64',
      'CVE-2023-42364 linux/amd64',
    ]);
  });

  it('are told apart when they are not alike on both platforms', () => {
    const scans = [platformScan([vulnerability('A', 'HIGH')]), platformScan([vulnerability('A', 'LOW')], ARM)];
    expect(platformsOf(scans)).toEqual(['A linux/amd64', 'A linux/arm64']);
  });

  it('are as many as there are, also when two look the same', () => {
    const twice = [secret('t', 'HIGH'), secret('t', 'HIGH')];
    expect(platformsOf([platformScan(twice), platformScan(twice, ARM)])).toEqual([
      't linux/amd64 linux/arm64',
      't linux/amd64 linux/arm64',
    ]);
  });

  it('are in one order, whatever the order of the report', () => {
    const findings = [
      vulnerability('B', 'LOW'),
      secret('s', 'LOW'),
      vulnerability('A', 'LOW'),
      vulnerability('C', 'HIGH'),
    ];
    const ids = (list: typeof findings): readonly string[] =>
      mergeScans([platformScan(list)], undefined).map(({ finding }) => finding.id);
    expect(ids(findings)).toEqual(['C', 's', 'A', 'B']);
    expect(ids([...findings].reverse())).toEqual(ids(findings));
  });

  it('say of a secret which layer brought it', () => {
    const places = mergeScans([realScan('secrets')], undefined).map(placeOf);
    expect(places).toEqual(['app/.env:2, layer 2', "the image's configuration", "the image's configuration"]);
  });
});

describe('a finding is new', () => {
  const before = [platformScan([vulnerability('A', 'HIGH')])];

  it('when the published image has none like it', () => {
    expect(newIn([platformScan([vulnerability('A', 'HIGH'), vulnerability('B', 'HIGH')])], before)).toEqual([
      'B HIGH linux/amd64',
    ]);
    expect(newIn([realScan('languages')], [realScan('languages-before')])).toEqual([
      'CVE-2021-44906 CRITICAL linux/amd64',
    ]);
  });

  it('in another package, and in another file when it is a secret', () => {
    expect(newIn([platformScan([vulnerability('A', 'HIGH', { package: 'other' })])], before)).toHaveLength(1);
    const known = [platformScan([secret('t', 'HIGH', 'a')])];
    expect(newIn([platformScan([secret('t', 'HIGH', 'a', 99), secret('t', 'HIGH', 'b')])], known)).toHaveLength(1);
  });

  it('when it got worse, and not when it got better', () => {
    expect(newIn([platformScan([vulnerability('A', 'CRITICAL')])], before)).toEqual(['A CRITICAL linux/amd64']);
    expect(newIn([platformScan([vulnerability('A', 'MEDIUM')])], before)).toEqual([]);
  });

  it('not for another version, or because a fix came out', () => {
    const finding = vulnerability('A', 'HIGH', { installed: '1.5', fixed: undefined });
    expect(newIn([platformScan([finding])], before)).toEqual([]);
  });

  it('on a platform whose published image lacks it, though another has it', () => {
    const published = [...before, platformScan([], ARM)];
    const scans = [platformScan([vulnerability('A', 'HIGH')]), platformScan([vulnerability('A', 'HIGH')], ARM)];
    expect(newIn(scans, published)).toEqual(['A HIGH linux/arm64']);
  });

  it('on a platform that was not published only when no other has it', () => {
    const scans = [platformScan([vulnerability('A', 'HIGH'), vulnerability('B', 'LOW')], ARM)];
    expect(newIn(scans, before)).toEqual(['B LOW linux/arm64']);
  });

  it('for each secret more than there were in a file, but not for each copy of a package', () => {
    const token = secret('t', 'HIGH');
    const known = [platformScan([token, vulnerability('A', 'HIGH')])];
    const copies = [vulnerability('A', 'HIGH'), vulnerability('A', 'HIGH')];
    expect(newIn([platformScan([token, secret('t', 'HIGH', 'app/.env', 9), ...copies])], known)).toEqual([
      't HIGH linux/amd64',
    ]);
  });

  it('never, when there is nothing to compare with', () => {
    expect(mergeScans(before, undefined).some(({ isNew }) => isNew)).toBe(false);
    expect(mergeScans(before, []).every(({ isNew }) => isNew)).toBe(true);
  });
});
