import { parseJson } from '../../core/json.ts';
import { quote, toLine } from '../../core/printable.ts';
import { clusterImages } from '../../core/retention/cluster-images.ts';
import type { Protection } from '../../core/retention/inventory.ts';
import { isBuildOnceError } from '../../errors.ts';
import type { CommandResult, Host } from '../../host.ts';
import { protectionOf, type SourceAnswer, type Surroundings } from './source.ts';

/** What runs containers or will again: a replica set is what a deployment goes back to. */
const KINDS = 'po,deploy,rs,sts,ds,job,cj,rc';
const MAX_CONTEXTS = 100;
const MAX_OUTPUT_BYTES = 256 << 20;
/** One context: a cluster of ten thousand pods answers in less than a minute. */
const TIMEOUT_MS = 300_000;
const HINT =
  'Set kubectl up in an earlier step, with contexts that answer and may list pods, workloads and jobs in all namespaces; contexts of clusters that are gone are removed by kubectl config delete-context.';

/** `@in-use(kubectl)`: what the clusters of every context of kubectl run, or will. */
export async function findClusterImages({ host, repository }: Surroundings): Promise<SourceAnswer> {
  const listed = await runKubectl(host, ['config', 'get-contexts', '-o', 'name']);
  if ('kind' in listed) return listed;
  if (listed.status !== 0) return unreadable(`kubectl cannot list its contexts: ${lastWords(listed)}`);
  const contexts = listed.stdout.split(/\r?\n/).filter((name) => name.trim() !== '');
  if (contexts.length === 0) return { kind: 'absent', reason: 'kubectl has no context', hint: HINT };
  if (contexts.length > MAX_CONTEXTS) return unreadable(`kubectl has more than ${MAX_CONTEXTS} contexts`);
  const protections: Protection[] = [];
  // One after the other: a cluster's answer may be a quarter of a gigabyte.
  for (const context of contexts) {
    const args = [`--context=${context}`, 'get', KINDS, '--all-namespaces', '--output=json'];
    const got = await runKubectl(host, args);
    if ('kind' in got) return got.kind === 'absent' ? unreadable(got.reason) : got;
    if (got.status !== 0) return unreadable(`the context ${quote(context)} does not answer: ${lastWords(got)}`);
    const objects = clusterImages(parseJson(got.stdout), repository);
    if (objects === undefined) return unreadable(`the context ${quote(context)} answers no list`);
    protections.push(...objects.map(({ place, images }) => protectionOf(`${toLine(context)}: ${place}`, images)));
  }
  return { kind: 'read', protections, notices: [] };
}

async function runKubectl(
  host: Host,
  args: readonly string[],
): Promise<CommandResult | Exclude<SourceAnswer, { kind: 'read' }>> {
  try {
    const result = await host.exec({
      argv: ['kubectl', ...args],
      timeoutMs: TIMEOUT_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
    });
    host.signal.throwIfAborted();
    return result;
  } catch (cause) {
    if (!isBuildOnceError(cause)) throw cause;
    if (cause.code === 'COMMAND_NOT_STARTED') return { kind: 'absent', reason: 'there is no kubectl here', hint: HINT };
    return { kind: 'unreadable', reason: toLine(cause.message, 300), hint: HINT, cause };
  }
}

function unreadable(reason: string): SourceAnswer & { readonly kind: 'unreadable' } {
  return { kind: 'unreadable', reason, hint: HINT };
}

function lastWords({ stderr }: CommandResult): string {
  return toLine(stderr.trim().split('\n').at(-1) || 'it gave no reason', 300);
}
