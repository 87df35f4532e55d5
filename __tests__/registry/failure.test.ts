import { describe, expect, it } from 'vitest';
import { connectionFailure } from '../../src/registry/failure.ts';
import { failureOf } from '../../src/report/report.ts';

const request = { method: 'GET', url: new URL('https://ghcr.io/v2/') };
const proxy = { url: new URL('http://proxy.lan:3128'), variable: 'HTTPS_PROXY', authorization: undefined };
const causeOf = (code: string, message = code): Error => Object.assign(new Error(message), { code });

describe('a connection that failed', () => {
  it.each([
    ['ECONNREFUSED', undefined, 'Nothing listens there: check host and port, and that the registry runs.'],
    ['ECONNREFUSED', proxy, 'Does the proxy run? HTTPS_PROXY has its address; a host that needs no proxy belongs in'],
    ['EHOSTUNREACH', proxy, 'Does the proxy run?'],
    ['ENOTFOUND', proxy, "Check the spelling of the proxy's name in HTTPS_PROXY"],
    ['EPROTO', undefined, 'It seems to speak plain http'],
  ])('%s, proxy %j, has the hint: %s', (code, through, hint) => {
    expect(connectionFailure(request, causeOf(code), through).error.hint).toContain(hint);
  });

  it.each(['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'])('%s tells the words of OpenSSL once, on one line', (code) => {
    const said = `write EPROTO 40D7:error:0A00010B:SSL routines:wrong version number:${'x'.repeat(200)}:\n`;
    const { error } = connectionFailure(request, causeOf(code, said));
    expect(failureOf(error).message).toBe(
      `GET https://ghcr.io/v2/: the two could not agree on a TLS connection (${code})\ncaused by: ${said.trim()}`,
    );
  });
});
