import { onTestFinished } from 'vitest';
import { isRegistryError, type RegistryError } from '../../src/errors.ts';
import { retry } from '../../src/registry/retry.ts';
import {
  type Answer,
  createTransport,
  type HttpRequest,
  type Transport,
  type TransportSettings,
} from '../../src/registry/transport.ts';
import { fakeClock } from './scripted-server.ts';

/** A transport of this test, and what a caller does with it: try until there is an answer. */
export function openTransport(settings: TransportSettings = {}): {
  readonly send: (request: HttpRequest) => Promise<Answer>;
  readonly transport: Transport;
} {
  const transport = createTransport({ clock: fakeClock(), ...settings });
  onTestFinished(() => transport.close());
  return { transport, send: (request) => retry(transport.rules, () => transport.attempt(request)) };
}

/** A GET at this address. */
export function get(host: string, path = '/v2/'): HttpRequest {
  return { method: 'GET', url: new URL(`http://${host}${path}`) };
}

/** The RegistryError that this work ends with. */
export async function failureOf(work: Promise<unknown>): Promise<RegistryError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isRegistryError(error)) throw new TypeError(`no RegistryError: ${String(error)}`);
  return error;
}
