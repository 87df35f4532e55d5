import type { PinnedRelease } from './pinned-program.ts';

/**
 * What may be downloaded, the version that is taken when none is asked for first. Written by `tools/cosign-checksums.ts`, which
 * takes no checksum from one place alone.
 */
export const COSIGN_RELEASES: readonly PinnedRelease[] = [
  {
    version: '3.0.6',
    source:
      'cosign_checksums.txt of the release, as in the action.yml of sigstore/cosign-installer (its copy at chainguard-actions/sigstore-cosign-installer@65ce94cb2e152e8e42826c8ad06386bf4074b6a3), and as pinned by several independent public repositories (looked up 2026-11-21)',
    sha256: {
      'darwin/amd64': '4c3e7af8372d3ca3296e62fa56f23fcbb5721cc6ac1827900d398f110d7cd280',
      'darwin/arm64': '5fadd012ae6381a6a29ff86a7d39aa873878852f1073fc90b15995961ecfb084',
      'linux/amd64': 'c956e5dfcac53d52bcf058360d579472f0c1d2d9b69f55209e256fe7783f4c74',
      'linux/arm64': 'bedac92e8c3729864e13d4a17048007cfafa79d5deca993a43a90ffe018ef2b8',
    },
  },
];
