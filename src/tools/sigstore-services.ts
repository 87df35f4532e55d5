import { type Service as ConfiguredService, ServiceSelector, SigningConfig } from '@sigstore/protobuf-specs';
import { parseJson, textAt } from '../core/json.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { quote } from '../core/printable.ts';
import type { Service } from './sigstore-requests.ts';

/** The services that one signature needs. */
export interface SigningServices {
  readonly authority: Service;
  readonly logs: readonly Service[];
  readonly timestamps: readonly Service[];
}

type Configuration = SigningConfig['rekorTlogConfig'];

const MEDIA_TYPE = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';
/** The one API of each that we speak. */
const API_VERSION = 1;

/**
 * Chooses from a signing config of cosign 3 the services that are valid at this time and speak an API that we know: the newest
 * of each operator, and as many operators as the `selector` wants. The rules of
 * https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto (SigningConfig)
 */
export function chooseServices(text: string, now: Date): Parsed<SigningServices> {
  const json = parseJson(text);
  const mediaType = textAt(json, 'mediaType');
  if (mediaType !== MEDIA_TYPE) return unparsable(`its mediaType is ${quote(mediaType ?? '')}, not ${MEDIA_TYPE}`);
  let config: SigningConfig;
  try {
    config = SigningConfig.fromJSON(json);
  } catch (error) {
    return unparsable(error instanceof Error ? error.message : 'it cannot be read');
  }
  const [authority] = validAt(config.caUrls, now);
  if (authority === undefined) return unparsable('it names no certificate authority that is valid today');
  const logs = select('transparency log', validAt(config.rekorTlogUrls, now), config.rekorTlogConfig);
  if (!logs.ok) return logs;
  const timestamps = select('time stamp authority', validAt(config.tsaUrls, now), config.tsaConfig);
  if (!timestamps.ok) return timestamps;
  if (logs.value.length === 0) return unparsable('it names no transparency log, and keyless signatures need one');
  const name = (title: string, { url }: ConfiguredService): Service => ({ title, url: new URL(url) });
  return parsed({
    authority: name('the certificate authority', authority),
    logs: logs.value.map((one) => name('the transparency log', one)),
    timestamps: timestamps.value.map((one) => name('the time stamp authority', one)),
  });
}

/** One for each operator, the newest first. */
function validAt(services: readonly ConfiguredService[], now: Date): readonly ConfiguredService[] {
  const startMs = ({ validFor }: ConfiguredService): number => validFor?.start?.getTime() ?? 0;
  const valid = services.filter(({ url, majorApiVersion, validFor }) => {
    const endMs = validFor?.end?.getTime() ?? Number.POSITIVE_INFINITY;
    const startsMs = validFor?.start?.getTime() ?? 0;
    return majorApiVersion === API_VERSION && URL.canParse(url) && startsMs <= now.getTime() && now.getTime() < endMs;
  });
  const newest = [...valid].sort((a, b) => startMs(b) - startMs(a));
  return newest.filter(({ operator }, index) => newest.findIndex((one) => one.operator === operator) === index);
}

function select(
  what: string,
  services: readonly ConfiguredService[],
  configuration: Configuration,
): Parsed<readonly ConfiguredService[]> {
  if (configuration === undefined || configuration.selector === ServiceSelector.SERVICE_SELECTOR_UNDEFINED) {
    return parsed([]);
  }
  const { selector, count } = configuration;
  const wanted = selector === ServiceSelector.ALL ? services.length : selector === ServiceSelector.ANY ? 1 : count;
  if (services.length >= Math.max(wanted, 1)) return parsed(services.slice(0, wanted));
  return unparsable(
    `it wants ${Math.max(wanted, 1)} × ${what} of API ${API_VERSION}, and ${services.length} are valid today`,
  );
}
