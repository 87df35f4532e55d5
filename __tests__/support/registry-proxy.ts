import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';

/** A request that came by. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** What the registry answered; `undefined` until it has. */
  status: number | undefined;
}

/** A plain HTTP proxy in front of a registry: it counts requests, and can hold one back for good. */
export interface RegistryProxy {
  /** `127.0.0.1:port`: stands in for the registry's own address. */
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  forget(): void;
  /** From now on requests like this get no answer; resolves when the first has come. */
  hold(matches: (request: SeenRequest) => boolean): Promise<void>;
  /** Lets everything through again. */
  release(): void;
  close(): Promise<void>;
}

export async function startRegistryProxy(target: string): Promise<RegistryProxy> {
  const requests: SeenRequest[] = [];
  let held: { matches: (request: SeenRequest) => boolean; came: () => void } | undefined;
  const server = createServer((incoming, answer) => {
    const seen: SeenRequest = { method: incoming.method ?? '', path: incoming.url ?? '', status: undefined };
    requests.push(seen);
    if (held?.matches(seen) === true) held.came();
    else {
      forward(incoming, answer, target);
      answer.on('finish', () => {
        seen.status = answer.statusCode;
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    host: `127.0.0.1:${port}`,
    requests,
    forget: () => void requests.splice(0),
    hold: (matches) =>
      new Promise((came) => {
        held = { matches, came };
      }),
    release: () => {
      held = undefined;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** With the client's own Host header, so that the registry's Location headers lead back here. */
function forward(incoming: IncomingMessage, answer: ServerResponse, target: string): void {
  const [hostname, port] = target.split(':');
  const outgoing = send(
    { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
    (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    },
  );
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}
