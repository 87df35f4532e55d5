import { createServer } from 'node:http';
import { listen } from './listen.ts';
import { relay } from './relay.ts';

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
  const [hostname, port] = target.split(':');
  const server = createServer((incoming, answer) => {
    const seen: SeenRequest = { method: incoming.method ?? '', path: incoming.url ?? '', status: undefined };
    requests.push(seen);
    if (held?.matches(seen) === true) held.came();
    else {
      // With the client's own Host header, so that the registry's Location headers lead back here.
      relay(incoming, answer, { hostname, port });
      answer.on('finish', () => {
        seen.status = answer.statusCode;
      });
    }
  });
  return {
    host: await listen(server),
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
