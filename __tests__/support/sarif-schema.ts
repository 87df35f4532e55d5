import type { Schema } from './json-schema.ts';

const text = { type: 'string' };
const level = { enum: ['none', 'note', 'warning', 'error'] };
const message = { type: 'object', additionalProperties: false, required: ['text'], properties: { text } };
const anything: Schema = { type: 'object', additionalProperties: {} };
const listOf = (name: string): Schema => ({ type: 'array', items: { $ref: `#/$defs/${name}` } });
const exactly = (properties: Schema, ...required: readonly string[]): Schema => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

/**
 * The part of SARIF 2.1.0 that we write, closed, so that a property that the schema of the specification does not have is
 * seen, and stricter where GitHub is: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json
 */
export const SARIF_SCHEMA: Schema = {
  ...exactly(
    { $schema: text, version: { const: '2.1.0' }, runs: { ...listOf('run'), maxItems: 20 } },
    'version',
    'runs',
  ),
  $defs: {
    run: exactly(
      {
        tool: exactly({ driver: { $ref: '#/$defs/driver' } }, 'driver'),
        automationDetails: exactly({ id: { type: 'string', pattern: '^[A-Za-z0-9._/-]+/$' } }, 'id'),
        properties: anything,
        results: { ...listOf('result'), maxItems: 25_000 },
      },
      'tool',
      'automationDetails',
      'results',
    ),
    driver: exactly({ name: text, version: text, informationUri: text, rules: listOf('rule') }, 'name', 'rules'),
    rule: exactly(
      {
        id: { type: 'string', pattern: '^.{1,255}$' },
        name: text,
        shortDescription: { $ref: '#/$defs/description' },
        fullDescription: { $ref: '#/$defs/description' },
        help: exactly({ text, markdown: text }, 'text', 'markdown'),
        helpUri: { type: 'string', pattern: '^https?://' },
        defaultConfiguration: exactly({ level }, 'level'),
        properties: {
          type: 'object',
          required: ['tags'],
          properties: {
            tags: { type: 'array', items: text, maxItems: 10 },
            'security-severity': { type: 'string', pattern: '^(?:10|[0-9])\\.[0-9]$' },
          },
          additionalProperties: {},
        },
      },
      'id',
      'shortDescription',
      'fullDescription',
      'help',
    ),
    description: exactly({ text: { type: 'string', pattern: '^[^]{1,1024}$' } }, 'text'),
    result: exactly(
      {
        ruleId: text,
        ruleIndex: { type: 'integer', minimum: 0 },
        level,
        message,
        locations: { ...listOf('location'), minItems: 1 },
        partialFingerprints: exactly({ primaryLocationLineHash: text }, 'primaryLocationLineHash'),
        properties: anything,
      },
      'ruleId',
      'ruleIndex',
      'message',
      'locations',
      'partialFingerprints',
    ),
    location: exactly(
      {
        physicalLocation: exactly(
          {
            artifactLocation: exactly({ uri: { $ref: '#/$defs/relative' } }, 'uri'),
            region: { $ref: '#/$defs/region' },
          },
          'artifactLocation',
          'region',
        ),
        logicalLocations: { type: 'array', items: exactly({ name: text }) },
      },
      'physicalLocation',
    ),
    // A relative reference of RFC 3986 without a scheme, an authority, and segments of dots.
    relative: {
      type: 'string',
      pattern: "^(?:(?!\\.{1,2}(?:/|$))(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-F]{2})+(?:/(?=.)|$))+$",
    },
    region: exactly(
      { startLine: { type: 'integer', minimum: 1 }, endLine: { type: 'integer', minimum: 1 } },
      'startLine',
    ),
  },
};
