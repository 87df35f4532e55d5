import { createActionsHost, pendingUndos } from './hosts/actions.ts';

/** The post step: takes back what a main step left that was killed before it could clean up. It never fails the job. */
const { env } = process;
const host = createActionsHost({ env, cwd: process.cwd(), signal: new AbortController().signal });
for (const undo of pendingUndos(env)) host.cleanup(undo);
await host.finish();
