import type { BuildSettings } from '../core/build-options.ts';
import { BuildError, parseBuildFailure } from './build-log.ts';
import { type BuildOutcome, dockerfileLocation, readOutcome, runBuild } from './build-run.ts';
import type { Builder } from './builder.ts';
import { type BuildOrigin, buildArguments, type Destination } from './buildx-arguments.ts';
import type { Docker } from './docker.ts';
import type { Pin } from './source-policy.ts';

/** One image to build, for all its platforms at once. */
export interface BuildRequest {
  readonly settings: BuildSettings;
  readonly builder: Builder;
  readonly destination: Destination;
  /** The images that were hashed, the `# syntax=` frontend among them: the build uses exactly these. */
  readonly pins: readonly Pin[];
  readonly origin: BuildOrigin | undefined;
}

/**
 * Builds, and pushes by digest or writes an OCI layout. BuildError (`BUILD_FAILED`) with the failing step, its last lines and
 * its place in the Dockerfile; UsageError for a secret that is not there.
 */
export async function buildImage(docker: Docker, request: BuildRequest): Promise<BuildOutcome> {
  const { settings, destination, origin } = request;
  const metadata = await runBuild(docker, {
    settings: [settings],
    pins: request.pins,
    argumentsFor: ({ metadataFile }) =>
      buildArguments({ settings, builder: request.builder.name, destination, metadataFile, origin }),
    failed: ({ output, status }) => {
      const failure = parseBuildFailure(output);
      const { line } = failure;
      const location = line === undefined ? undefined : dockerfileLocation(docker.host, settings.file, line);
      return new BuildError(failure, { command: 'docker buildx build', status, location });
    },
  });
  return readOutcome(metadata);
}
