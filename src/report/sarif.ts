import { digestOf } from '../core/digest.ts';
import { type Finding, identityOf, linesOf, type PlatformScan } from '../core/findings.ts';
import { subjectOf } from '../core/image-findings.ts';
import { toPrintable } from '../core/printable.ts';
import { levelOf, ruleIdOf, sarifRule } from './sarif-rule.ts';

/** What GitHub takes of one run: https://docs.github.com/en/code-security/code-scanning/troubleshooting-sarif/results-exceed-limit */
const MAX_RESULTS = 25_000;
const MAX_TEXT_LENGTH = 1000;

export interface SarifSettings {
  /** What the image is called in every run, `acme/app`: with the platform it is the category of its alerts. */
  readonly category: string;
  /**
   * The path in the git repository that findings without a file are shown at: packages of the system, the image's
   * configuration. `undefined` where there is no Dockerfile to show them at.
   */
  readonly dockerfile: string | undefined;
}

/**
 * SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html): a run of its
 * own for each platform, with everything that was found there whatever the gate says.
 */
export function renderSarif(scans: readonly PlatformScan[], settings: SarifSettings): string {
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: scans.map((scan) => runOf(scan, settings)),
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function runOf(scan: PlatformScan, settings: SarifSettings): object {
  const shown = scan.findings.slice(0, MAX_RESULTS);
  const byRule = new Map<string, [Finding, ...Finding[]]>();
  for (const finding of shown) {
    const others = byRule.get(ruleIdOf(finding));
    if (others === undefined) byRule.set(ruleIdOf(finding), [finding]);
    else others.push(finding);
  }
  const indexes = new Map([...byRule.keys()].map((id, index) => [id, index]));
  const fingerprint = fingerprints();
  return {
    tool: {
      driver: {
        name: 'Trivy',
        ...(scan.scanner === undefined ? {} : { version: scan.scanner }),
        informationUri: 'https://trivy.dev/',
        rules: [...byRule.values()].map(sarifRule),
      },
    },
    // GitHub takes what is before the last slash for the category.
    automationDetails: { id: `build-once/${settings.category.replace(/[^A-Za-z0-9._/-]/g, '-')}/${scan.platform}/` },
    properties: { platform: scan.platform, hidden: scan.hidden.length, leftOut: scan.findings.length - shown.length },
    results: shown.map((finding) => ({
      ruleId: ruleIdOf(finding),
      ruleIndex: indexes.get(ruleIdOf(finding)) ?? -1,
      level: levelOf(finding.severity),
      message: { text: messageOf(finding, scan.platform) },
      locations: [locationOf(finding, settings)],
      partialFingerprints: { primaryLocationLineHash: fingerprint(finding) },
      properties: propertiesOf(finding),
    })),
  };
}

/**
 * The same for the same finding in every build, and different for each in one run. This name is the only one that GitHub reads.
 */
function fingerprints(): (finding: Finding) => string {
  const seen = new Map<string, number>();
  return (finding) => {
    const identity = identityOf(finding);
    const count = (seen.get(identity) ?? 0) + 1;
    seen.set(identity, count);
    return `${digestOf(identity).slice('sha256:'.length, 'sha256:'.length + 16)}:${count}`;
  };
}

function locationOf(finding: Finding, { category, dockerfile }: SarifSettings): object {
  const { startLine = 1, endLine = startLine } = linesOf(finding);
  const region = finding.file === undefined ? { startLine: 1 } : { startLine, endLine };
  return {
    physicalLocation: { artifactLocation: { uri: uriOf(finding.file ?? dockerfile ?? category) }, region },
    logicalLocations: [{ name: textOf(subjectOf(finding)) }],
  };
}

/** Relative, and inside the root that it is relative to. */
function uriOf(path: string): string {
  const parts = toPrintable(path).split('/');
  const inside = parts.filter((part) => part !== '' && part !== '.' && part !== '..');
  return inside.length === 0 ? 'image' : inside.map(encodeURIComponent).join('/');
}

function messageOf(finding: Finding, platform: string): string {
  const place = finding.kind === 'vulnerability' && finding.file !== undefined ? ` (${finding.file})` : '';
  const layer = finding.layer?.position === undefined ? '' : `, layer ${finding.layer.position}`;
  const said = finding.kind === 'misconfiguration' ? finding.message : finding.title;
  const head = `${finding.severity}: ${finding.id} in ${subjectOf(finding)}${place} on ${platform}${layer}.`;
  return messageText([head, sentence(said), sentence(fixOf(finding))].filter((part) => part !== '').join(' '));
}

function fixOf(finding: Finding): string {
  if (finding.kind === 'misconfiguration') return finding.resolution ?? '';
  if (finding.kind !== 'vulnerability') return '';
  return finding.fixed === undefined ? 'There is no fixed version' : `Fixed in ${finding.fixed}`;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed === '' || /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** SARIF §3.11.5 and §3.11.6: in a message, braces are placeholders and brackets are links. */
function messageText(text: string): string {
  return textOf(text).replace(/[[{]/g, '(').replace(/[\]}]/g, ')');
}

function propertiesOf(finding: Finding): object {
  const { layer } = finding;
  const versions =
    finding.kind === 'vulnerability'
      ? { package: finding.package, installed: finding.installed, fixed: finding.fixed, purl: finding.purl }
      : {};
  return { severity: finding.severity, kind: finding.kind, ...versions, layer: layer?.digest ?? layer?.diffId };
}

function textOf(text: string): string {
  return toPrintable(text.slice(0, MAX_TEXT_LENGTH));
}
