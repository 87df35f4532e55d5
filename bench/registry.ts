/** An embedded registry in a process of its own: prints its host; answers each line on standard input with the number of requests since the last. Ends with its input. */
import { createInterface } from 'node:readline';
import { startRegistry } from '../src/registry/server.ts';

const registry = await startRegistry();
process.stdout.write(`${registry.host}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${registry.requests.length}\n`);
  registry.forgetRequests();
}
await registry.close();
