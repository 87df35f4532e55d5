/**
 * For memory.test.ts, in a process of its own: copies the one image of an OCI layout into a registry, and prints the largest
 * resident memory that this process ever had, in KiB: before, and at the end.
 */
import { copyImage } from '../../src/registry/copy.ts';
import { openRegistries } from '../../src/registry/open.ts';

const [, , directory = '', host = ''] = process.argv;
const registries = openRegistries({ env: { DOCKER_CONFIG: '/nonexistent' } });
const layout = await registries.openLayout(directory);
const before = process.resourceUsage().maxRSS;
for (const root of await layout.roots()) {
  await copyImage(layout, registries.open({ registry: host, path: 'acme/app' }), root);
}
registries.close();
process.stdout.write(`${before} ${process.resourceUsage().maxRSS}\n`);
