import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BuildSettings } from '../../src/core/build-options.ts';
import { type Digest, parseDigest } from '../../src/core/digest.ts';
import { textAt, valueAt } from '../../src/core/json.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import type { Builder } from '../../src/tools/builder.ts';
import { type BuildOutcome, type BuildRequest, buildImage } from '../../src/tools/buildx.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { mustRun } from '../support/programs.ts';
import { makeDockerConfig, type Toolchain } from '../support/toolchain.ts';
import { buildSettings } from '../tools/build-settings.ts';

/** A build and where its bytes are: `layout` is a folder only when the builder wrote one. */
export interface Built extends BuildOutcome {
  readonly layout: string;
}

export type BuildChange = Partial<BuildSettings> & Partial<Pick<BuildRequest, 'pins' | 'origin'>>;

/** A folder, a private DOCKER_CONFIG and a repository of their own for one test file. */
export class Workshop {
  readonly directory: string;
  readonly repository: { readonly registry: string; readonly path: string };
  /** For child processes. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly #toolchain: Toolchain;

  constructor(toolchain: Toolchain) {
    this.#toolchain = toolchain;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'e2e-'));
    this.repository = { registry: toolchain.registry, path: `t/${randomUUID()}` };
    const config = makeDockerConfig(toolchain, this.directory);
    this.env = { ...process.env, BUILDX_BUILDER: '', HOME: this.directory, ...toolchain.env, DOCKER_CONFIG: config };
  }

  /** The toolchain's base image. */
  get baseImage(): string {
    return this.#toolchain.baseImage;
  }

  remove(): void {
    fs.rmSync(this.directory, { recursive: true });
  }

  host(write: (line: string) => void, change: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Machine {
    const env = { ...this.env, ...change };
    return createTerminalHost({ cwd: this.directory, env, write, ...(signal === undefined ? {} : { signal }) });
  }

  /** A context folder with these files. */
  contextOf(files: Readonly<Record<string, string>>): string {
    const context = fs.mkdtempSync(path.join(this.directory, 'context-'));
    for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(context, file), text);
    return context;
  }

  /** Runs docker itself, beside what is tested. */
  docker(...args: readonly string[]): Promise<string> {
    return mustRun(['docker', ...args], { env: this.env });
  }

  /** Builds this Dockerfile; pushes where the builder can. */
  async build(docker: Docker, builder: Builder, dockerfile: string, change: BuildChange = {}): Promise<Built> {
    const { pins = [], origin, ...settings } = change;
    const context = this.contextOf({ Dockerfile: dockerfile });
    const layout = path.join(this.directory, `layout-${randomUUID()}`);
    const destination =
      builder.delivery === 'push'
        ? ({ kind: 'push', repository: this.repository } as const)
        : ({ kind: 'layout', path: layout } as const);
    const request = { settings: buildSettings({ context, ...settings }), builder, destination, pins, origin };
    return { ...(await buildImage(docker, request)), layout };
  }

  /** The index that was built: from the layout where there is one, else from the registry. */
  async indexOf({ descriptor, layout }: Built): Promise<unknown> {
    const blob = path.join(layout, 'blobs', ...descriptor.digest.split(':'));
    if (fs.existsSync(blob)) return JSON.parse(fs.readFileSync(blob, 'utf8'));
    const { registry, path: name } = this.repository;
    const response = await fetch(`http://${registry}/v2/${name}/manifests/${descriptor.digest}`, {
      headers: { accept: MEDIA_TYPES.ociIndex },
    });
    if (!response.ok) throw new Error(`${descriptor.digest} is not in the registry: ${response.status}`);
    return response.json();
  }

  /** Pushes an image whose file `/which` says `text` under this tag, for both platforms. */
  async pushBase(reference: string, text: string): Promise<Digest> {
    const context = this.contextOf({
      Dockerfile: `FROM ${this.#toolchain.baseImage}\nCOPY which /which\n`,
      which: text,
    });
    const metadata = path.join(context, 'metadata.json');
    const platforms = '--platform=linux/amd64,linux/arm64';
    const files = [`--metadata-file=${metadata}`, `--tag=${reference}`, context];
    await this.docker('buildx', 'build', '--builder=default', '--provenance=false', '--push', platforms, ...files);
    const digest = parseDigest(textAt(JSON.parse(fs.readFileSync(metadata, 'utf8')), 'containerimage.digest') ?? '');
    if (digest === undefined) throw new Error('the base image has no digest');
    return digest;
  }
}

/** `os/architecture` of each manifest, sorted. */
export function platformsOf(index: unknown): string[] {
  const manifests = valueAt(index, 'manifests');
  const entries: unknown[] = Array.isArray(manifests) ? manifests : [];
  return entries
    .map((entry) => [textAt(entry, 'platform', 'os'), textAt(entry, 'platform', 'architecture')].join('/'))
    .sort();
}

/** Looks at the arguments of every process on this machine until it is stopped; `stop` answers all that was seen. */
export function watchArguments(): { readonly stop: () => string } {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It ended meanwhile.
      }
    }
  };
  const timer = setInterval(look, 20);
  return {
    stop: () => {
      clearInterval(timer);
      return [...seen].join('\n');
    },
  };
}
