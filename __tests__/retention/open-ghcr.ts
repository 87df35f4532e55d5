import { onTestFinished } from 'vitest';
import { openRegistries } from '../../src/registry/open.ts';
import { createTransport } from '../../src/registry/transport.ts';
import { openGhcrStore } from '../../src/retention/ghcr-store.ts';
import { type GitHubApi, openGitHubApi } from '../../src/retention/github-api.ts';
import { Pace } from '../../src/retention/pace.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { type FakeClock, fakeClock } from '../registry/scripted-server.ts';
import { createGhcr, type Ghcr, type GhcrOptions } from '../support/ghcr/ghcr.ts';

export interface ClientOptions {
  /** Of the package: `app` when absent. */
  readonly package?: string;
  readonly token?: string;
  readonly reserve?: number;
  /** The client's own; the stand-in's when absent. */
  readonly clock?: FakeClock;
  readonly apiUrl?: string;
  /** The registry's host; the stand-in's when absent. */
  readonly registry?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly authorities?: string;
}

/** What a run has at hand. */
export interface GhcrClient {
  readonly store: ImageStore;
  readonly api: GitHubApi;
  readonly pace: Pace;
  /** Reasons for pauses. */
  readonly pauses: readonly string[];
}

/** A stand-in on loopback, of this test, and the clock that it shares with its clients. */
export async function startGhcr(
  options: GhcrOptions = {},
): Promise<{ readonly ghcr: Ghcr; readonly clock: FakeClock }> {
  const clock = fakeClock();
  const ghcr = createGhcr({ now: () => clock.now(), ...options });
  await ghcr.listen();
  onTestFinished(() => ghcr.close());
  return { ghcr, clock };
}

/** A client of the stand-in, over real HTTP; gone at the end of the test. */
export function openClient(ghcr: Ghcr, clock: FakeClock, options: ClientOptions = {}): GhcrClient {
  const { token = 'ghp_token', reserve = 0, apiUrl = ghcr.url, registry = ghcr.host, authorities } = options;
  const settings = {
    clock: options.clock ?? clock,
    env: { DOCKER_CONFIG: '/nonexistent', ...options.env },
    ...(authorities === undefined ? {} : { authorities }),
  };
  const transport = createTransport(settings);
  const registries = openRegistries({ ...settings, explicit: { registry, username: 'kim', password: token } });
  const pauses: string[] = [];
  const pace = new Pace({ clock: settings.clock, reserve, onPause: ({ reason }) => pauses.push(reason) });
  const api = openGitHubApi({ apiUrl, token, transport, pace });
  const name = { registry, path: `acme/${options.package ?? 'app'}` };
  onTestFinished(() => {
    registries.close();
    transport.close();
  });
  return { store: openGhcrStore({ name, api, repository: registries.open(name) }), api, pace, pauses };
}
