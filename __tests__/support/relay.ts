import { type IncomingMessage, type RequestOptions, request, type ServerResponse } from 'node:http';

/** Passes a request on, and its answer back; who leaves first takes the other side along. */
export function relay(incoming: IncomingMessage, answer: ServerResponse, target: RequestOptions): void {
  const outgoing = request({ method: incoming.method, path: incoming.url, headers: incoming.headers, ...target });
  outgoing.on('response', (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}
