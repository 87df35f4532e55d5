import { parseCsvRecord } from './csv.ts';
import { parseGoBoolean } from './go-boolean.ts';
import { flag, type Parse } from './kinds.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** Of BuildKit v0.29, https://docs.docker.com/build/metadata/attestations/slsa-provenance/; `disabled` is buildx's. */
const PROVENANCE_ATTRIBUTES = ['mode', 'version', 'builder-id', 'inline-only', 'filename', 'reproducible', 'disabled'];
const PROVENANCE_MODES = ['min', 'max'];
/** https://github.com/moby/buildkit/blob/v0.29.0/frontend/attestations/parse.go */
const ATTESTATION_TYPES = ['sbom', 'provenance'];

/** `true`, `false` or attributes of a provenance attestation as buildx takes them: `mode=max,version=v1`. */
export const provenance: Parse<string | undefined> = attestation('mode=max', (key, value) => {
  if (!PROVENANCE_ATTRIBUTES.includes(key)) {
    const near = nearest(key, PROVENANCE_ATTRIBUTES);
    const hint = near === undefined ? `${PROVENANCE_ATTRIBUTES.join(', ')} are` : `did you mean ${near}?`;
    return `${quote(key)} is no attribute; ${hint}`;
  }
  if (key !== 'mode' || PROVENANCE_MODES.includes(value)) return undefined;
  return `mode is ${quote(value)}: ${PROVENANCE_MODES.join(' or ')} is allowed`;
});

/** `true`, `false` or attributes of an SBOM attestation: `generator=IMAGE`; those of the generator itself may be any. */
export const sbom: Parse<string | undefined> = attestation('generator=IMAGE', () => undefined);

/** Parses one item of `attests`, CSV with a `type`, as buildx 0.29 and BuildKit v0.29 do. */
export function parseAttest(text: string): Parsed<string> {
  const fields = parseCsvRecord(text);
  if (!fields.ok) return unparsable(`${quote(text)} is not comma-separated KEY=VALUE: ${fields.problem}`);
  const bare = fields.value.find((field) => !field.includes('='));
  if (bare !== undefined) return unparsable(`${quote(text)}: ${quote(bare)} is not KEY=VALUE`);
  const valuesOf = (key: string): readonly string[] =>
    fields.value
      .filter((field) => field.slice(0, field.indexOf('=')).trim().toLowerCase() === key)
      .map((field) => field.slice(field.indexOf('=') + 1));
  const type = valuesOf('type').at(-1) ?? '';
  if (!ATTESTATION_TYPES.includes(type.toLowerCase())) {
    const said = type === '' ? `${quote(text)} has no type` : `${quote(type)} is no type of attestation`;
    return unparsable(`${said}: type=sbom and type=provenance are allowed`);
  }
  const toggle = valuesOf('disabled').find((value) => parseGoBoolean(value) === undefined);
  if (toggle !== undefined) return unparsable(`disabled is ${quote(toggle)}: true or false is allowed`);
  return parsed(text);
}

/** Whether the build may make an SBOM: what is switched off by attributes counts as asked for too. */
export function mayMakeSbom(options: {
  readonly sbom: string | undefined;
  readonly attests: readonly string[];
}): boolean {
  return (options.sbom ?? 'false') !== 'false' || options.attests.some((text) => /\btype\s*=\s*sbom\b/i.test(text));
}

function attestation(
  example: string,
  findProblem: (key: string, value: string) => string | undefined,
): Parse<string | undefined> {
  return (given) => {
    const text = given.trim();
    if (text === '') return parsed(undefined);
    const toggle = flag(text);
    if (toggle.ok) return parsed(String(toggle.value));
    if (!text.includes('=')) {
      return unparsable(`${quote(text)} is not allowed: true, false or attributes such as ${example} are`);
    }
    const fields = parseCsvRecord(text);
    if (!fields.ok) return unparsable(`the attributes are not comma-separated KEY=VALUE: ${fields.problem}`);
    for (const field of fields.value) {
      const [key = ''] = field.split('=', 1);
      const value = field.slice(key.length + 1);
      if (key === '' || !field.includes('=')) return unparsable(`${quote(field)} is not KEY=VALUE`);
      const problem = value === '' ? `${quote(key)} has no value` : findProblem(key.toLowerCase(), value);
      if (problem !== undefined) return unparsable(problem);
    }
    return parsed(text);
  };
}
