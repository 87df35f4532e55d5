import { isLocalName } from '../core/reference.ts';
import { isLoaded, type RunnableStage } from '../stage.ts';

/** Lets the registries say how they want to be asked while the build's files are hashed and its base images looked up. */
export const greetRegistries: RunnableStage = async (run) => {
  const { registries, options, event } = run;
  // The local engine may have the image: then nobody asks a registry for it.
  if (isLoaded(run)) return run;
  const names = options.images.filter((name) => !isLocalName(name));
  // Nobody waits for it: what asks them first, later, waits for what is left of it.
  for (const name of names) void registries.greet(name, event.push ? 'push' : 'pull');
  return run;
};
