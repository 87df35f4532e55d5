import { describe, expect, it } from 'vitest';
import { BuildOnceError, RegistryError } from '../src/errors.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { INPUTS_RECORD, orWithoutRecord } from '../src/without-record.ts';

const RECORD = { ...INPUTS_RECORD, repository: { registry: 'r.example', path: 'acme/app' } };

function hostWith(signal?: AbortSignal) {
  const lines: string[] = [];
  const host = createTerminalHost({ env: {}, cwd: '/', write: (line: string) => lines.push(line) });
  return { host: { log: host.log, signal: signal ?? host.signal }, lines };
}

describe('writing the record of an image', () => {
  it('gives what was written', async () => {
    const { host, lines } = hostWith();
    expect(await orWithoutRecord(host, RECORD, () => Promise.resolve(1))).toBe(1);
    expect(lines).toEqual([]);
  });

  it('that a registry refuses is a warning, which says where, why and what it costs', async () => {
    const { host, lines } = hostWith();
    const refuse = () => Promise.reject(new RegistryError('DENIED', 'no\n\u001b[31m::error::'));
    expect(await orWithoutRecord(host, RECORD, refuse)).toBeUndefined();
    const text = lines.join('');
    expect(text).toContain(
      'warning: the input manifest is not attached in r.example/acme/app, so later runs cannot say',
    );
    expect(text).toContain('DENIED: no');
    expect(text).not.toContain('\u001b');
  });

  it.each([
    ['is interrupted', new RegistryError('ABORTED', 'cut'), AbortSignal.abort()],
    ['fails for a reason of this machine', new BuildOnceError('UNREADABLE_FILE', 'no', 1), undefined],
    ['is a mistake in the program', new TypeError('x'), undefined],
  ])('ends the run when it %s', async (_, error, signal) => {
    const { host, lines } = hostWith(signal);
    await expect(orWithoutRecord(host, RECORD, () => Promise.reject(error))).rejects.toBe(error);
    expect(lines).toEqual([]);
  });
});
