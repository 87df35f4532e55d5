import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import { onTestFinished } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { listen } from '../support/listen.ts';

/** A request on its way to the registry. */
export interface Passing {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly authorization: string | undefined;
  /** `PUT manifest`, `HEAD blob`, `POST upload`: what most faults are about. */
  readonly kind: string;
  /** How many of its kind came before it. */
  readonly index: number;
}

/** What happens to a request instead of reaching the registry whole and bringing its answer back. */
export type Fault =
  /** The registry never learns of it; the body is read first, so that the client surely sees the answer. */
  | { readonly answer: (response: ServerResponse) => unknown }
  /** Cut after this much of its body, or at its end. */
  | { readonly cutAfterBytes: number }
  /** The answer is cut after this much of it. */
  | { readonly cutAnswerAfterBytes: number }
  /** The registry did it, and the answer is this, or lost when `undefined`. */
  | { readonly done: ((response: ServerResponse) => unknown) | undefined }
  /** The answer comes without these headers, in lower case. */
  | { readonly without: readonly string[] };

export interface FaultyRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** The same registry without faults. */
  readonly sound: RunningRegistry;
  readonly seen: readonly Passing[];
}

/**
 * An embedded registry behind a proxy that does to each request what `faultOf` says, after `delayMsOf`; gone at the end of
 * the test.
 */
export async function serveFaulty(
  faultOf: (request: Passing) => Fault | undefined,
  delayMsOf: (request: Passing) => number = () => 0,
): Promise<FaultyRegistry> {
  const sound = await startRegistry();
  const seen: Passing[] = [];
  const server = createServer((incoming, response) => {
    incoming.on('error', () => undefined);
    const request = passing(incoming, seen);
    seen.push(request);
    const fault = faultOf(request);
    if (fault !== undefined && 'answer' in fault) incoming.resume().on('end', () => fault.answer(response));
    else if (fault !== undefined && 'cutAfterBytes' in fault) cut(incoming, fault.cutAfterBytes);
    else setTimeout(() => forward(incoming, response, sound.host, fault), delayMsOf(request));
  });
  const host = await listen(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await sound.close();
  });
  return { host, sound, seen };
}

function passing(incoming: IncomingMessage, seen: readonly Passing[]): Passing {
  const { method = '', url: path = '', headers } = incoming;
  const part =
    /\/(uploads|blobs|manifests|tags|referrers)\//.exec(path.replace('/blobs/uploads', '/uploads'))?.[1] ?? '';
  const kind = `${method} ${part.replace(/s$/, '')}`;
  return {
    method,
    path,
    authorization: headers.authorization,
    kind,
    index: seen.filter((one) => one.kind === kind).length,
  };
}

function cut(incoming: IncomingMessage, afterBytes: number): void {
  let readBytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    readBytes += chunk.length;
    if (readBytes >= afterBytes) incoming.socket.destroy();
  });
  incoming.on('end', () => incoming.socket.destroy());
  if (afterBytes === 0) incoming.socket.destroy();
}

function cutAnswer(answer: IncomingMessage, response: ServerResponse, afterBytes: number): void {
  const chunks: Buffer[] = [];
  answer.on('data', (chunk: Buffer) => chunks.push(chunk));
  answer.on('end', () => response.write(Buffer.concat(chunks).subarray(0, afterBytes), () => response.destroy()));
}

function forward(incoming: IncomingMessage, response: ServerResponse, target: string, fault: Fault | undefined): void {
  const [hostname, port] = target.split(':');
  const { method, url: path, headers } = incoming;
  const outgoing = send({ hostname, port, method, path, headers }, (answer) => {
    if (fault !== undefined && 'done' in fault) {
      answer.resume().on('end', () => (fault.done === undefined ? response.destroy() : fault.done(response)));
      return;
    }
    const without = fault !== undefined && 'without' in fault ? fault.without : [];
    const kept = Object.entries(answer.headers).filter(([name]) => !without.includes(name));
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept));
    if (fault !== undefined && 'cutAnswerAfterBytes' in fault) cutAnswer(answer, response, fault.cutAnswerAfterBytes);
    else answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
}
