import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { only } from '../content-store.ts';
import type { Answer } from './answer.ts';

/** What a client gets to see. */
export interface Delivery {
  /** Absent: not even a status. */
  readonly answer?: Answer;
  /** How it stops before its end; whole when absent. */
  readonly end?: {
    readonly kind: 'cut' | 'stall';
    /** Of the body; absent: none of it. */
    readonly afterBytes?: number;
  };
  /** As fast as it goes when absent. */
  readonly bytesPerSecond?: number;
}

const SLOW_PIECES_PER_SECOND = 20;

/** Sends this to the client. Rejects when the client left, or where the content ended early. */
export async function deliver(delivery: Delivery, method: string, response: ServerResponse): Promise<void> {
  const { answer, end, bytesPerSecond } = delivery;
  if (answer !== undefined) {
    writeHead(answer, response);
    if (method === 'HEAD' || answer.body === undefined) return void response.end();
    const { body } = answer;
    if (end === undefined && bytesPerSecond === undefined) {
      if (body instanceof Uint8Array) response.end(body);
      else await pipeline(body, response);
      return;
    }
    response.flushHeaders();
    if (!(await isItsTurn(response))) return;
    const pieces = body instanceof Uint8Array ? only(body) : body;
    const whole = await writePieces(pieces, response, delivery);
    if (whole) return void response.end();
  }
  // Where the turn of this answer has not come, to destroy the answer itself would leave the client waiting.
  const { socket } = response.req;
  if (end?.kind !== 'stall') socket.destroy();
  else if (!socket.destroyed) await once(socket, 'close');
}

/** Waits for the answers to earlier requests of this connection. `false` when it has ended before. */
async function isItsTurn(response: ServerResponse): Promise<boolean> {
  const { socket } = response.req;
  if (response.socket === null && !socket.destroyed) {
    await new Promise<void>((resolve) => {
      response.once('socket', () => resolve());
      socket.once('close', () => resolve());
    });
  }
  return response.socket !== null;
}

function writeHead({ status, headers, sizeBytes }: Answer, response: ServerResponse): void {
  const length = sizeBytes === undefined ? {} : { 'Content-Length': sizeBytes };
  response.writeHead(status, { 'Docker-Distribution-API-Version': 'registry/2.0', ...headers, ...length });
}

/** `false` when it stopped before the end of the body. */
async function writePieces(
  pieces: AsyncIterable<Uint8Array>,
  response: ServerResponse,
  { end, bytesPerSecond }: Delivery,
): Promise<boolean> {
  let left = end === undefined ? Number.POSITIVE_INFINITY : (end.afterBytes ?? 0);
  const stepBytes =
    bytesPerSecond === undefined ? Number.POSITIVE_INFINITY : Math.ceil(bytesPerSecond / SLOW_PIECES_PER_SECOND);
  for await (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      if (left <= 0) return false;
      const step = piece.subarray(start, start + Math.min(stepBytes, left));
      await write(step, response);
      left -= step.length;
      start += step.length;
      if (bytesPerSecond !== undefined) await pause((step.length / bytesPerSecond) * 1000, response);
    }
  }
  return true;
}

/** Resolves when the system has the bytes, so that a cut which follows does not take them back. */
function write(bytes: Uint8Array, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function pause(durationMs: number, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  response.once('close', leave);
  try {
    await wait(durationMs, undefined, { signal: gone.signal });
  } finally {
    response.off('close', leave);
  }
}
