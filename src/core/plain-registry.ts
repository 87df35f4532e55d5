import { type Parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseRegistryHost } from './reference.ts';

/** Public ones: who names them wants something else. */
const ALWAYS_HTTPS = /^(?:docker\.io|ghcr\.io|(?:.+\.)?github\.com)(?::|$)/;

/** Parses the host of a registry that may be spoken to over plain http: `registry.lan:5000`. */
export function parsePlainRegistry(text: string): Parsed<string> {
  const [, bare] = /^https?:\/\/([^/]*)/i.exec(text) ?? [];
  if (bare !== undefined) return unparsable(`${quote(text)} has a scheme: leave it out, as in ${quote(bare)}`);
  const registry = parseRegistryHost(text);
  if (!registry.ok || !ALWAYS_HTTPS.test(registry.value)) return registry;
  return unparsable(`${quote(text)} is always spoken to over https: leave it out`);
}
