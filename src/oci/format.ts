import type { Descriptor } from './types.ts';

/** A descriptor as JSON writes it: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties */
export function formatDescriptor(descriptor: Descriptor): Readonly<Record<string, unknown>> {
  const { mediaType, digest, sizeBytes, artifactType, annotations, platform } = descriptor;
  return {
    mediaType,
    digest,
    size: sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: formatPlatformFields(platform) }),
  };
}

function formatPlatformFields(platform: NonNullable<Descriptor['platform']>): Readonly<Record<string, string>> {
  const { os, architecture, variant, osVersion } = platform;
  return {
    architecture,
    os,
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
    ...(variant === undefined ? {} : { variant }),
  };
}
