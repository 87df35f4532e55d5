import {
  type BuiltImage,
  checkMayPush,
  destinationOf,
  findProblems,
  type ImageBuild,
  openWorkbench,
  originOf,
  planImageBuild,
  takeBuilt,
} from '../image-build.ts';
import { resultOf, type Stage } from '../stage.ts';

/** What was built. */
export type BuildResult = BuiltImage;

/** Builds all platforms in one call, pinned to what was hashed; pushed by digest, or into an OCI layout. */
export const buildStage: Stage<'build', ImageBuild> = {
  name: 'build',
  title: 'Build the image',
  plan(run) {
    if (resultOf(run, 'lookup').image !== undefined) return { skip: 'the image is in the registry' };
    return planImageBuild(run) ?? { skip: 'no image was asked for' };
  },
  async apply(plan, run) {
    const bench = await openWorkbench([plan], [], checkMayPush(plan));
    const { docker, builder, buildx } = bench;
    const destination = destinationOf(plan, builder);
    const build = buildx.buildImage(docker, {
      settings: plan.settings,
      builder,
      destination,
      pins: resultOf(run, 'hash').pins,
      origin: originOf(run),
    });
    // Beside the build, which takes longer; both have ended before anything is cleaned up.
    const [check] = await Promise.allSettled([findProblems(plan, bench), build]);
    const { descriptor, metadata } = await build;
    if (check.status === 'rejected') throw check.reason;
    return takeBuilt(plan, { destination, digest: descriptor.digest, metadata, problems: check.value });
  },
};
