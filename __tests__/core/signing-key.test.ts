import { describe, expect, it } from 'vitest';
import { parseSigningKey, pemLabel, toPem } from '../../src/core/signing-key.ts';

const PEM = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';

describe('what sign-key names', () => {
  it.each([
    ['cosign.key', { kind: 'file', path: 'cosign.key' }],
    [' /keys/cosign.key\n', { kind: 'file', path: '/keys/cosign.key' }],
    ['C:\\keys\\cosign.key', { kind: 'file', path: 'C:\\keys\\cosign.key' }],
    ['env://COSIGN_PRIVATE_KEY', { kind: 'variable', name: 'COSIGN_PRIVATE_KEY' }],
    ['awskms:///alias/build', { kind: 'service', uri: 'awskms:///alias/build' }],
    [
      'awskms://localhost:4566/arn:aws:kms:us-east-2:111122223333:key/1234abcd',
      { kind: 'service', uri: 'awskms://localhost:4566/arn:aws:kms:us-east-2:111122223333:key/1234abcd' },
    ],
    [
      'gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k/versions/1',
      { kind: 'service', uri: 'gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k/versions/1' },
    ],
    ['azurekms://vault.vault.azure.net/key', { kind: 'service', uri: 'azurekms://vault.vault.azure.net/key' }],
    ['hashivault://key', { kind: 'service', uri: 'hashivault://key' }],
    ['k8s://ns/key', { kind: 'service', uri: 'k8s://ns/key' }],
    [PEM, { kind: 'text', pem: PEM }],
    [`\n${PEM.replaceAll('\n', '\r\n')}\n`, { kind: 'text', pem: PEM }],
  ])('%j', (text, value) => {
    expect(parseSigningKey(text)).toEqual({ ok: true, value });
  });

  it.each([
    ['', /is empty/],
    ['  \n', /is empty/],
    ['MIGH\nAgEA', /several lines and is no key in PEM form/],
    ['a\0b', /several lines/],
    ['x'.repeat(1 << 20), /too long/],
    ['env://', /name of a variable/],
    ['env://A-B', /name of a variable/],
    ['env://A=B', /name of a variable/],
    ['https://keys.test/cosign.key', /https:\/\/ is no place for a key: .*awskms:\/\//],
    ['file:///etc/key', /file:\/\/ is no place/],
    ['awskms://', /awskms:\/\/ needs the key's name/],
    ['awskms://a b', /without spaces/],
    ['k8s://\u001b[31m', /without spaces/],
    [`gcpkms://${'x'.repeat(1 << 20)}`, /without spaces/],
  ])('is refused, and not quoted: %j', (text, problem) => {
    const found = parseSigningKey(text);
    expect(found.ok ? '' : found.problem).toMatch(problem);
    expect(found.ok ? '' : found.problem).not.toMatch(/MIGH|A-B|keys\.test|\/etc|x{9}|\u001b/);
  });
});

describe('a text in PEM form', () => {
  it.each([
    [PEM, 'PRIVATE KEY'],
    [`Bag Attributes\n${PEM}`, 'PRIVATE KEY'],
    [PEM.replaceAll('\n', '\r'), 'PRIVATE KEY'],
    ['-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n', 'ENCRYPTED SIGSTORE PRIVATE KEY'],
    ['-----BEGIN private-----', undefined],
    [`-----BEGIN ${'A'.repeat(1 << 20)}-----`, undefined],
    ['', undefined],
  ])('has the label of its first line: %#', (text, label) => {
    expect(pemLabel(text)).toBe(label);
  });

  it('ends with one line feed', () => {
    expect(toPem(' a\r\nb\n\n')).toBe('a\nb\n');
  });
});
