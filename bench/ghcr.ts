/**
 * The stand-in for GitHub in a process of its own, with the settings of its argument, in JSON: prints how it is reached; answers
 * each line on standard input with what was asked of it since the last. Ends with its input.
 */
import { createInterface } from 'node:readline';
import { startNamedGhcr } from '../__tests__/support/ghcr/named-ghcr.ts';
import type { GhcrOptions } from '../__tests__/support/ghcr/options.ts';

const options: GhcrOptions = JSON.parse(process.argv[2] ?? '{}');
const named = await startNamedGhcr(options);
const { ghcr, env, authorities } = named;
process.stdout.write(`${JSON.stringify({ env, authorities })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  const { primary, points, content, concurrent } = ghcr.limits;
  const asked = {
    requests: ghcr.requests.length,
    manifests: ghcr.count('GET /v2/:repo/manifests/:ref', 200),
    deletions: ghcr.count(/^DELETE /, 204),
    refusals: primary + points + content + concurrent,
  };
  process.stdout.write(`${JSON.stringify(asked)}\n`);
  ghcr.forgetRequests();
}
await named.close();
