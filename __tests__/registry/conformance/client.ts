import http from 'node:http';
import { expect } from 'vitest';
import type { RunningRegistry } from '../../../src/registry/server.ts';
import type { Piece } from '../sample-image.ts';

/** An answer, read to its end. */
export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Sending {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Uint8Array;
  /** In pieces without a Content-Length, as a client sends what it has no size of. */
  readonly streamed?: boolean;
}

/** Sends one request; `where` is a path or what a Location said. Resolves with whatever was answered. */
export type Send = (method: string, where: string, sending?: Sending) => Promise<Reply>;

/** Plain HTTP, because fetch decides about lengths and headers by itself. */
export function clientOf(registry: () => RunningRegistry): Send {
  return (method, where, { headers = {}, body, streamed = false } = {}) =>
    new Promise((resolve, reject) => {
      const length = streamed ? { 'transfer-encoding': 'chunked' } : { 'content-length': body?.length ?? 0 };
      const sized = method === 'GET' || method === 'HEAD' ? {} : length;
      const url = new URL(where, `http://${registry().host}`);
      const request = http.request(url, { method, headers: { ...sized, ...headers }, agent: false });
      request.on('error', reject);
      request.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
        );
      });
      if (body !== undefined && streamed) request.write(body.subarray(0, Math.ceil(body.length / 2)));
      request.end(body !== undefined && streamed ? body.subarray(Math.ceil(body.length / 2)) : body);
    });
}

/** Where the answer leads; it must lead somewhere. */
export function locationOf({ headers }: Reply): string {
  expect(headers.location ?? '').not.toBe('');
  return headers.location ?? '';
}

/** The location with this query added, whatever query it has. */
export function withQuery(location: string, name: string, value: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`;
}

/** The answer has exactly this content, and says so. */
export function expectContent(reply: Reply, { descriptor, bytes }: Piece): void {
  expect(reply.status).toBe(200);
  expect(reply.headers['docker-content-digest']).toBe(descriptor.digest);
  expect(reply.headers['content-length']).toBe(String(bytes.length));
  expect(reply.body.equals(bytes)).toBe(true);
}

/** The answer to a HEAD says this content, and has none. */
export function expectHead(reply: Reply, { descriptor, bytes }: Piece): void {
  expect(reply.status).toBe(200);
  expect(reply.headers['docker-content-digest']).toBe(descriptor.digest);
  expect(reply.headers['content-length']).toBe(String(bytes.length));
  expect(reply.body).toHaveLength(0);
}
