import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { installStubDocker, type StubDocker } from './stub-docker.ts';

/** A workspace on a machine whose docker is a stub, for one test. */
export class DockerScene {
  readonly workspace = fs.mkdtempSync(path.join(os.tmpdir(), 'docker-scene-'));
  /** What the machine's user was shown. */
  readonly printed: string[] = [];
  #stub: StubDocker | undefined;
  #host: Machine | undefined;

  /** A host whose docker answers so: see {@link installStubDocker}. */
  dockerThat(answers: string, env: Readonly<Record<string, string>> = {}): Docker {
    this.#stub = installStubDocker(answers);
    const own = { ...process.env, PATH: `${this.#stub.directory}:${process.env['PATH']}`, ...env };
    this.#host = createTerminalHost({ cwd: this.workspace, env: own, write: (line) => this.printed.push(line) });
    return { host: this.#host, env: {} };
  }

  calls(): ReturnType<StubDocker['calls']> {
    return this.#stub?.calls() ?? [];
  }

  /** Ends the host, as the end of a run does. */
  async finish(): Promise<void> {
    await this.#host?.finish();
  }

  async remove(): Promise<void> {
    await this.finish();
    this.#stub?.remove();
    fs.rmSync(this.workspace, { recursive: true });
  }
}
