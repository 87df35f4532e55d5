import type { Server } from 'node:net';

/** Lets the server listen on a free port of this machine; answers its `127.0.0.1:PORT`. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the server has no port');
  return `127.0.0.1:${address.port}`;
}
