import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/registry/retry.ts';
import { listen } from '../support/listen.ts';

/** A request as the server saw it. */
export interface Seen {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ScriptedServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly seen: readonly Seen[];
  readonly sockets: ReadonlySet<Socket>;
  /** `GET /v2/`, in the order of arrival. */
  lines(): readonly string[];
}

/** Answers every request by the script, which gets its number from 0; gone at the end of the test. */
export async function serve(
  script: (request: Seen, response: ServerResponse, index: number) => void,
): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const one = { method, path, headers, body: Buffer.concat(chunks).toString() };
      seen.push(one);
      script(one, response, seen.length - 1);
    });
  });
  // Longer than any test, so that only the client ends a connection.
  server.keepAliveTimeout = 600_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const host = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    host,
    seen,
    sockets,
    lines: () => seen.map(({ method, path }) => `${method} ${path}`),
  };
}

/** A clock that is told to wait and does not: it notes how long, and lets that time pass at once. */
export interface FakeClock extends Clock {
  readonly sleeps: number[];
  advance(durationMs: number): void;
}

export function fakeClock(nowMs = Date.UTC(2026, 10, 21)): FakeClock {
  const state = { nowMs };
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => state.nowMs,
    random: () => 0,
    advance: (durationMs) => {
      state.nowMs += durationMs;
    },
    sleep(durationMs) {
      sleeps.push(durationMs);
      state.nowMs += durationMs;
      return Promise.resolve();
    },
  };
}
