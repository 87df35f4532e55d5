import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { PinnedRelease } from '../../src/tools/pinned-program.ts';

/** What a release has for one platform. */
export interface SampleArchive {
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** A gzipped tar archive with a program named trivy, as the releases have it; `script` is its shell script. */
export function makeArchive(script: string): SampleArchive {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-archive-'));
  try {
    fs.writeFileSync(path.join(directory, 'LICENSE'), 'Apache-2.0');
    fs.writeFileSync(path.join(directory, 'trivy'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    execFileSync('tar', ['-czf', path.join(directory, 'a.tar.gz'), '-C', directory, 'LICENSE', 'trivy']);
    const bytes = fs.readFileSync(path.join(directory, 'a.tar.gz'));
    return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** A program that answers `trivy version --format json`. */
export function saysVersion(version: string): string {
  return `echo '{"Version":"${version}"}'`;
}

/** A table with one release, the same archive for all platforms. */
export function tableOf(version: string, { sha256 }: SampleArchive): readonly PinnedRelease[] {
  const platforms = ['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64'];
  return [{ version, source: 'this test', sha256: Object.fromEntries(platforms.map((name) => [name, sha256])) }];
}
