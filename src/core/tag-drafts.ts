import { quote } from './printable.ts';
import type { TagKind, VersionLine } from './semver-tags.ts';
import { type Subject, shortSha } from './tag-facts.ts';
import type { TagRule, TagSource } from './tag-rules.ts';
import { renderTemplate, type Template, type TemplateFacts, type VersionName, versionNamesIn } from './tag-template.ts';
import { parsePep440Version, parseVersion, type TagForm, tagForm, type Version } from './version.ts';

/** What one rule makes of one run, before prefix and suffix. */
export interface Draft {
  readonly value: string;
  readonly kind: TagKind;
  readonly line?: VersionLine;
  /** The version that the tag was made from: a stable one is a release, which `latest=auto` goes with. */
  readonly version?: Version;
  readonly form: TagForm;
}

/** A rule that could have made a tag and did not, and why. */
export interface Declined {
  readonly notice: string;
}

/** Everything about the run that rules ask for. */
export interface RunFacts {
  readonly template: TemplateFacts;
  readonly subject: Subject;
  readonly eventName: string;
  readonly sha: string | undefined;
  readonly defaultBranch: string | undefined;
  /** The input `version`, where this run may publish it. */
  readonly givenVersion: string | undefined;
  /** The semantic version of the input or of the git tag. */
  readonly version: Version | undefined;
  readonly tagPrefix: string;
}

/** A rule with its prefix and suffix rendered. */
export interface Affixed {
  readonly rule: TagRule;
  readonly prefix: string;
  readonly suffix: string;
}

/** Applies one rule to one run: a draft, a reason why there is none, or `undefined` when the rule is for other events. */
export function draftOf(affixed: Affixed, run: RunFacts): Draft | Declined | undefined {
  const { source } = affixed.rule;
  const { subject } = run;
  const form = tagForm(affixed.prefix, affixed.suffix, run.tagPrefix);
  switch (source.type) {
    case 'schedule':
      if (!run.eventName.includes('schedule')) return undefined;
      return { value: renderTemplate(source.pattern, run.template), kind: 'other-moving', form };
    case 'semver':
    case 'pep440':
      return draftOfVersion(source, affixed, run);
    case 'match':
      return draftOfMatch(source, affixed, run);
    case 'edge':
      if (subject.kind !== 'branch' || subject.name !== (source.branch ?? run.defaultBranch)) return undefined;
      return { value: 'edge', kind: 'branch', form };
    case 'ref':
      return draftOfRef(source.event, form, run);
    case 'raw':
      return classified(renderTemplate(source.value, run.template), form, run);
    case 'reference':
      return classified(source.tag, tagForm('', '', run.tagPrefix), run);
    case 'sha':
      if (run.sha === undefined) return undefined;
      return { value: source.format === 'long' ? run.sha : shortSha(run.sha), kind: 'other-moving', form };
  }
}

function draftOfRef(event: 'branch' | 'tag' | 'pr', form: TagForm, run: RunFacts): Draft | Declined | undefined {
  const { subject } = run;
  if (event === 'branch' && subject.kind === 'merge-queue') {
    return { notice: 'a merge queue tests a branch that is thrown away: it gets no branch tag' };
  }
  if (event === 'branch' && subject.kind === 'branch') return { value: subject.name, kind: 'branch', form };
  if (event === 'pr' && subject.kind === 'pull-request') return { value: subject.number, kind: 'other-moving', form };
  if (event !== 'tag' || subject.kind !== 'tag') return undefined;
  const version = parseVersion(subject.name, run.tagPrefix);
  if (version === undefined) return { value: subject.name, kind: 'other-moving', form };
  return { value: subject.name, kind: 'immutable', version, form };
}

type VersionSource = Extract<TagSource, { type: 'semver' | 'pep440' }>;

function draftOfVersion(source: VersionSource, affixed: Affixed, run: RunFacts): Draft | Declined | undefined {
  const { rule, prefix, suffix } = affixed;
  const found = versionText(source.value, run);
  if (found === undefined) return undefined;
  const match = source.match?.match(found.text);
  if (source.match !== undefined && match === undefined) {
    return { notice: `${quote(found.text)} is not what match= looks for: no tag from ${quote(rule.text)}` };
  }
  const raw = match === undefined ? found.text : (match[1] ?? match[0] ?? '');
  const parse = source.type === 'semver' ? parseVersion : parsePep440Version;
  const isBare = match !== undefined || !found.fromGitTag;
  const version = parse(raw, run.tagPrefix) ?? (isBare ? parse(raw, 'v') : undefined);
  if (version === undefined) {
    const what = source.type === 'semver' ? 'semantic version' : 'version by PEP 440';
    return { notice: `${quote(raw)} is no ${what}${prefixHint(run.tagPrefix)}: no tag from ${quote(rule.text)}` };
  }
  const facts = { ...run.template, version: versionFacts(raw, version) };
  const { names, before, after } = versionNamesIn(source.pattern);
  const form = tagForm(prefix + renderTemplate(before, facts), renderTemplate(after, facts) + suffix, run.tagPrefix);
  if (!version.stable) {
    const isRaw = source.pattern.length === 1 && names.has('raw');
    return { value: isRaw ? raw : version.text, kind: 'immutable', version, form };
  }
  const value = renderTemplate(source.pattern, facts);
  const depth = depthOf(names);
  if (depth === 1 && version.release[0] === 0 && !source.majorZero) {
    return {
      notice: `${version.text} moves no tag ${quote(value)}, as 0.x promises nothing; major-zero=true makes it`,
    };
  }
  if (depth === 'full') return { value, kind: 'immutable', version, form };
  if (depth === 'none') return { value, kind: 'other-moving', version, form };
  return { value, kind: 'version-line', line: { depth, version, form }, version, form };
}

/** What a pattern that names these parts makes: full versions, a line, or something that is neither. */
function depthOf(names: ReadonlySet<VersionName>): 'full' | VersionLine['depth'] | 'none' {
  const [major, minor, patch] = [names.has('major'), names.has('minor'), names.has('patch')];
  if (names.has('version') || names.has('raw') || (major && minor && patch)) return 'full';
  if (names.size === 0) return 0;
  if (!major || patch) return 'none';
  return minor ? 2 : 1;
}

function versionFacts(raw: string, version: Version): Readonly<Record<VersionName, string>> {
  const [major = 0, minor = 0, patch = 0] = version.release;
  return { raw, version: version.text, major: String(major), minor: String(minor), patch: String(patch) };
}

type MatchSource = Extract<TagSource, { type: 'match' }>;

function draftOfMatch(
  source: MatchSource,
  { rule, prefix, suffix }: Affixed,
  run: RunFacts,
): Draft | Declined | undefined {
  const tag = run.subject.kind === 'tag' ? run.subject.name : undefined;
  const text = source.value === undefined ? tag : notEmpty(renderTemplate(source.value, run.template));
  if (text === undefined) return undefined;
  const match = source.pattern.match(text);
  const value = match?.[source.group];
  if (value === undefined) {
    const what = match === undefined ? 'is not what the pattern looks for' : `has no group ${source.group}`;
    return { notice: `${quote(text)} ${what}: no tag from ${quote(rule.text)}` };
  }
  // A component's tag, `app/v1.2.3` or `pkg@1.2.3`, is the usual reason to match.
  const whole = parseVersion(text, run.tagPrefix) ?? parseVersion(text.slice(text.search(/[^/@]*$/)), 'v');
  const part = parseVersion(value, 'v');
  if (whole?.stable === false && (part?.stable === true || lineDepth(value, whole) !== undefined)) {
    return {
      notice: `${quote(text)} is a pre-release, and ${quote(value)} would hide it: no tag from ${quote(rule.text)}`,
    };
  }
  const form = tagForm(prefix, suffix, run.tagPrefix);
  const version = part ?? (whole !== undefined && lineDepth(value, whole) !== undefined ? whole : undefined);
  const draft = classified(value, form, { ...run, version: whole });
  return version === undefined ? draft : { ...draft, version };
}

/** A tag of which only the text is known: a full version, a line of the version that this run is about, or neither. */
function classified(value: string, form: TagForm, { version, subject }: RunFacts): Draft {
  if (parseVersion(value, 'v') !== undefined) return { value, kind: 'immutable', form };
  const depth = version === undefined ? undefined : lineDepth(value, version);
  if (version !== undefined && depth !== undefined) {
    return { value, kind: 'version-line', line: { depth, version, form }, form };
  }
  // `latest` set by rule on a branch is that branch's head, so it must not go back to an older commit.
  const followsBranch = value === 'latest' && subject.kind === 'branch';
  return { value, kind: followsBranch ? 'branch' : 'other-moving', form };
}

function lineDepth(value: string, { release: [major, minor] }: Version): VersionLine['depth'] | undefined {
  if (value === 'latest') return 0;
  const numbers = value.replace(/^v/, '');
  if (numbers === `${major}.${minor}`) return 2;
  return numbers === String(major) ? 1 : undefined;
}

function versionText(
  value: Template | undefined,
  { template, givenVersion, subject }: RunFacts,
): { readonly text: string; readonly fromGitTag: boolean } | undefined {
  const text = value === undefined ? givenVersion : renderTemplate(value, template);
  if (text !== undefined) return text === '' ? undefined : { text, fromGitTag: false };
  return subject.kind === 'tag' ? { text: subject.name, fromGitTag: true } : undefined;
}

function prefixHint(tagPrefix: string): string {
  return tagPrefix === 'v' ? '' : ` behind the tag-prefix ${quote(tagPrefix)}`;
}

function notEmpty(text: string): string | undefined {
  return text === '' ? undefined : text;
}
