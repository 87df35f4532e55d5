import type { Schema } from './json-schema.ts';

const TEXT: Schema = { type: 'string', pattern: '.' };
const TIME: Schema = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' };
const DIGESTS: Schema = { type: 'object', additionalProperties: { type: 'string', pattern: '^[0-9a-f]{40,128}$' } };
const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** https://slsa.dev/spec/v1.1/provenance#schema */
export const PROVENANCE_SCHEMA: Schema = object(
  {
    buildDefinition: object(
      {
        buildType: { type: 'string', pattern: '^https://' },
        externalParameters: { type: 'object' },
        internalParameters: { type: 'object' },
        resolvedDependencies: {
          type: 'array',
          items: object(
            { uri: { type: 'string', pattern: '^[a-z+]+:[!-~]+$' }, name: TEXT, mediaType: TEXT, digest: DIGESTS },
            ['digest'],
          ),
        },
      },
      ['buildType', 'externalParameters'],
    ),
    runDetails: object(
      {
        builder: object(
          { id: { type: 'string', pattern: '^https?://' }, version: { type: 'object', additionalProperties: TEXT } },
          ['id'],
        ),
        metadata: object({ invocationId: TEXT, startedOn: TIME, finishedOn: TIME }),
      },
      ['builder'],
    ),
  },
  ['buildDefinition', 'runDetails'],
);

/** What GitHub says of a build of its type: https://github.com/slsa-framework/github-actions-buildtypes/tree/main/workflow/v1 */
export const WORKFLOW_SCHEMA: Schema = object(
  {
    workflow: object({ ref: TEXT, repository: { type: 'string', pattern: '^https?://' }, path: TEXT }, [
      'ref',
      'repository',
      'path',
    ]),
  },
  ['workflow'],
);

/** https://github.com/sigstore/cosign/blob/v3.0.2/pkg/cosign/attestation/attestation.go (CosignVulnPredicate) */
export const SCAN_SCHEMA: Schema = object(
  {
    invocation: object({ parameters: { type: 'array', items: TEXT }, uri: TEXT, event_id: TEXT, 'builder.id': TEXT }, [
      'parameters',
      'builder.id',
    ]),
    scanner: object(
      {
        uri: TEXT,
        version: TEXT,
        db: object({ uri: TEXT, version: TEXT, lastUpdate: TIME }),
        result: { type: 'object' },
      },
      ['uri', 'version', 'db', 'result'],
    ),
    metadata: object({ scanStartedOn: TIME, scanFinishedOn: TIME }, ['scanStartedOn', 'scanFinishedOn']),
  },
  ['invocation', 'scanner', 'metadata'],
);
