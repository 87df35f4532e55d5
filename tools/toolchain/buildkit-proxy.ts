// node buildkit-proxy.ts DOCKER_SOCKET PORT_FILE: exposes dockerd's own BuildKit on a free loopback port, which it writes to
// PORT_FILE: `POST /grpc` on the engine's socket upgrades to h2c (moby, api/server/router/grpc). Needs Node 22.18 or newer.
import { renameSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

const UPGRADE =
  'POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n';

/** Joins the two connections once the engine has agreed to the upgrade. */
function joinAfterUpgrade(client: Socket, engine: Socket): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    engine.off('data', onData);
    if (!head.toString('latin1').startsWith('HTTP/1.1 101')) {
      process.stderr.write(`${head.toString()}\n`);
      client.destroy();
      return;
    }
    client.write(head.subarray(end + 4));
    client.pipe(engine);
    engine.pipe(client);
  };
  engine.on('data', onData);
  client.on('error', () => engine.destroy());
  engine.on('error', () => client.destroy());
  engine.write(UPGRADE);
}

const [socketPath, portFile] = process.argv.slice(2);
if (socketPath === undefined || portFile === undefined)
  throw new Error('usage: buildkit-proxy.ts DOCKER_SOCKET PORT_FILE');
const server = createServer({ allowHalfOpen: true }, (client) => {
  joinAfterUpgrade(client, connect({ path: socketPath, allowHalfOpen: true }));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP port');
  writeFileSync(`${portFile}.new`, `${address.port}\n`);
  renameSync(`${portFile}.new`, portFile);
});
