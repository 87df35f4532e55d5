import type { PinnedRelease } from './pinned-program.ts';

/**
 * What may be downloaded, the version that is taken when none is asked for first. Written by `tools/trivy-checksums.ts`, which
 * takes no checksum from one place alone: the release that was hijacked in March 2026 had a checksum file that fitted.
 */
export const TRIVY_RELEASES: readonly PinnedRelease[] = [
  {
    version: '0.70.0',
    source:
      'trivy_0.70.0_checksums.txt of the release, as pinned by several independent public repositories (looked up 2026-11-21)',
    sha256: {
      'darwin/amd64': '52d531452b19e7593da29366007d02a810e1e0080d02f9cf6a1afb46c35aaa93',
      'darwin/arm64': '68e543c51dcc96e1c344053a4fde9660cf602c25565d9f09dc17dd41e13b838a',
      'linux/amd64': '8b4376d5d6befe5c24d503f10ff136d9e0c49f9127a4279fd110b727929a5aa9',
      'linux/arm64': '2f6bb988b553a1bbac6bdd1ce890f5e412439564e17522b88a4541b4f364fc8d',
    },
  },
];
