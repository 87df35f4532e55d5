import { isReservedTag, toLegalTag } from './legal-tag.ts';
import type { Parsed } from './parsed.ts';
import { quote } from './printable.ts';
import type { RepositoryName } from './reference.ts';
import type { TagKind, VersionLine } from './semver-tags.ts';
import { type Affixed, type Draft, draftOf, type RunFacts } from './tag-drafts.ts';
import { type Subject, subjectOf, templateFacts } from './tag-facts.ts';
import { type Flavor, parseFlavor } from './tag-flavor.ts';
import { type GitEvent, parseTagRules, type RuleProblem, type TagRule } from './tag-rules.ts';
import { renderTemplate, type Template } from './tag-template.ts';
import { parseUserPattern, type UserPattern } from './user-pattern.ts';
import { parsePep440Version, parseVersion, type Version } from './version.ts';

/** What the tags of a run are made from. */
export interface TagRequest {
  /** Lines of the input `tags`, as `parseTagLines` gives them. */
  readonly tags: readonly string[];
  /** Lines of the input `flavor`. */
  readonly flavor: readonly string[];
  /** The input `version`; `undefined`: the git tag's. */
  readonly version: string | undefined;
  readonly tagPrefix: string;
  /** The input `immutable-tags`, a regular expression that stands in for "full versions". */
  readonly immutableTags: string | undefined;
  readonly event: GitEvent;
}

/** A tag that this run would like to set. */
export interface TagCandidate {
  /** Always legal: distribution specification v1.1.1, "Pulling manifests". */
  readonly tag: string;
  readonly kind: TagKind;
  /** There exactly when the kind is `version-line`. */
  readonly line?: VersionLine;
  readonly priority: number;
  /** This is the flavor's `latest`; it comes last. */
  readonly latest: boolean;
  /** A default made it, not a line that the user wrote. */
  readonly implicit: boolean;
  /** For this repository only; `undefined`: for every image. */
  readonly repository: RepositoryName | undefined;
}

export interface TagPlan {
  /** Highest priority first, `latest` last, no tag twice. */
  readonly candidates: readonly TagCandidate[];
  /** The tag that names the image best: the first. */
  readonly version: string | undefined;
  /** Why tags that one may expect are not there; printable. */
  readonly notices: readonly string[];
}

/** Whether a version is among the tags to set. */
export function isRelease({ candidates }: Pick<TagPlan, 'candidates'>): boolean {
  return candidates.some(({ line, kind }) => line !== undefined || kind === 'immutable');
}

export type TagPlanning =
  | { readonly ok: true; readonly value: TagPlan }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

/**
 * Works out the tags of a run from rules with the names and the meaning of docker/metadata-action v6, or every problem of
 * the inputs. Ours differ on purpose: what is unknown is a problem, a tag is always legal, `latest=auto` goes with stable
 * versions only, build metadata stays (`1.2.3+b5` is the tag `1.2.3_b5`), `0` needs `major-zero=true`, a merge queue has
 * no branch. Without rules: the version set for a version, else the name of the tag or branch, or `pr-N`.
 */
export function planTags(request: TagRequest): TagPlanning {
  const flavor = parseFlavor(request.flavor);
  const immutable = request.immutableTags === undefined ? undefined : parseUserPattern(request.immutableTags);
  const run = runFacts(request);
  const lines = request.tags.length > 0 ? request.tags : defaultLines(run);
  const rules = lines.map(parseTagRules);
  const enabled = rules
    .flatMap((parsedRules) => (parsedRules.ok ? parsedRules.value : []))
    .map((rule) => isEnabled(rule, run));
  const problems = [
    ...problemsIn('flavor', [flavor]),
    ...problemsIn('immutable-tags', immutable === undefined ? [] : [immutable]),
    ...problemsIn('tags', [...rules, ...enabled]),
    ...versionProblems(request),
  ];
  if (!flavor.ok || problems.length > 0) return { ok: false, problems };
  const active = enabled.flatMap((rule) => (rule.ok && rule.value !== undefined ? [rule.value] : []));
  const isImmutable = immutableTest(immutable?.ok === true ? immutable.value : undefined);
  return {
    ok: true,
    value: assemble(active, { run, flavor: flavor.value, isImmutable, implicit: request.tags.length === 0 }),
  };
}

/** Expressions that stand for names which whoever may push a branch can choose. */
const BRANCH_NAMES: ReadonlySet<string> = new Set(['branch', 'base_ref']);

interface Assembly {
  readonly run: RunFacts;
  readonly flavor: Flavor;
  readonly isImmutable: (tag: string, kind: TagKind) => boolean;
  readonly implicit: boolean;
}

interface Made {
  readonly draft: Draft;
  readonly candidate: TagCandidate;
}

function assemble(rules: readonly TagRule[], assembly: Assembly): TagPlan {
  const notices = [...defaultNotices(assembly)];
  const made: Made[] = [];
  for (const rule of [...rules].sort((a, b) => b.priority - a.priority)) {
    const affixed = affix(rule, assembly);
    const draft = draftOf(affixed, assembly.run);
    if (draft === undefined) continue;
    if ('notice' in draft) notices.push(draft.notice);
    else if (draft.value !== '') {
      const candidate = candidateOf(draft, affixed, assembly);
      if (takesReleaseName(rule, candidate))
        notices.push(`${candidate.tag} is a name for releases: no tag for a branch or pull request`);
      else made.push({ draft, candidate });
    }
  }
  const latest = latestOf(made, assembly);
  if (latest !== undefined && 'notice' in latest) notices.push(latest.notice);
  const last = latest === undefined || 'notice' in latest ? [] : [latest];
  const candidates = withoutRepeats([...made.map(({ candidate }) => candidate), ...last]);
  return { candidates, version: made[0]?.candidate.tag, notices: [...new Set(notices)] };
}

/**
 * True when the name of a branch or pull request would stand where versions stand. Whoever may push a branch could move a
 * release otherwise; the tags of content hashes and of referrers are no more for the taking.
 */
function takesReleaseName({ source }: TagRule, { tag }: TagCandidate): boolean {
  const isFromBranch =
    (source.type === 'ref' && source.event !== 'tag') ||
    (source.type === 'raw' && source.value.some((part) => part.kind === 'event' && BRANCH_NAMES.has(part.name)));
  if (!isFromBranch) return false;
  const isLine = tag === 'latest' || /^[0-9]+(?:\.[0-9]+)?$/.test(tag);
  return isLine || parseVersion(tag) !== undefined || isReservedTag(tag);
}

function candidateOf(
  draft: Draft,
  { rule, prefix, suffix }: Affixed,
  { isImmutable, implicit }: Assembly,
): TagCandidate {
  const { source, priority } = rule;
  const repository = source.type === 'reference' ? source.repository : undefined;
  const tag = source.type === 'reference' ? source.tag : toLegalTag(`${prefix}${draft.value}${suffix}`);
  return { tag, ...kindOf(tag, draft, isImmutable), priority, latest: false, implicit, repository };
}

/** The flavor's `latest`: with a release it is a version line like any other; `latest=true` makes it for the rest too. */
function latestOf(made: readonly Made[], assembly: Assembly): TagCandidate | { readonly notice: string } | undefined {
  const { flavor, run, isImmutable } = assembly;
  if (flavor.latest === 'false' || made.length === 0) return undefined;
  const versioned = made.filter(({ draft }) => draft.version !== undefined);
  const { draft: { version, form } = {} } = versioned.find(({ draft }) => draft.version?.stable) ?? {};
  if (version === undefined && flavor.latest === 'auto') return undefined;
  const prefix = flavor.prefixOnLatest ? render(flavor.prefix, run) : '';
  const suffix = flavor.suffixOnLatest ? render(flavor.suffix, run) : '';
  const tag = toLegalTag(`${prefix}latest${suffix}`);
  if (version === undefined && versioned.length > 0) return { notice: `a pre-release never moves ${tag}` };
  const kind: TagKind = run.subject.kind === 'branch' ? 'branch' : 'other-moving';
  const draft =
    version === undefined || form === undefined
      ? { kind }
      : { kind: 'version-line' as const, line: { depth: 0 as const, version, form } };
  return {
    tag,
    ...kindOf(tag, draft, isImmutable),
    priority: 0,
    latest: true,
    implicit: flavor.latest === 'auto',
    repository: undefined,
  };
}

function kindOf(
  tag: string,
  { kind, line }: Pick<Draft, 'kind' | 'line'>,
  isImmutable: Assembly['isImmutable'],
): Pick<TagCandidate, 'kind' | 'line'> {
  if (isImmutable(tag, kind)) return { kind: 'immutable' };
  if (line !== undefined) return { kind, line };
  return { kind: kind === 'immutable' ? 'other-moving' : kind };
}

/** `immutable-tags` says it all when it is given, so that a project may also let its full versions move. */
function immutableTest(pattern: UserPattern | undefined): Assembly['isImmutable'] {
  if (pattern === undefined) return (_, kind) => kind === 'immutable';
  return (tag) => pattern.match(tag) !== undefined;
}

/** A tag that two rules make stays where it came first, and is a version line when either says so. */
function withoutRepeats(candidates: readonly TagCandidate[]): readonly TagCandidate[] {
  const byName = new Map<string, TagCandidate>();
  for (const candidate of candidates) {
    const { repository, tag } = candidate;
    const name = JSON.stringify([repository?.registry, repository?.path, tag]);
    const first = byName.get(name);
    if (first === undefined) byName.set(name, candidate);
    else if (first.line === undefined && candidate.line !== undefined) {
      byName.set(name, { ...first, kind: candidate.kind, line: candidate.line });
    }
  }
  return [...byName.values()];
}

function affix(rule: TagRule, { flavor, run }: Assembly): Affixed {
  const prefix = render(rule.prefix ?? flavor.prefix, run);
  return { rule, prefix, suffix: render(rule.suffix ?? flavor.suffix, run) };
}

function render(template: Template, run: RunFacts): string {
  return renderTemplate(template, run.template);
}

function isEnabled(rule: TagRule, run: RunFacts): Parsed<TagRule | undefined> {
  const text = render(rule.enable, run);
  if (text === 'true') return { ok: true, value: rule };
  if (text === 'false') return { ok: true, value: undefined };
  return { ok: false, problem: `enable=${quote(text)} is neither true nor false in ${quote(rule.text)}` };
}

function runFacts({ event, version, tagPrefix }: TagRequest): RunFacts {
  const subject = subjectOf(event);
  // A pull request must not publish what its own files call a release.
  const givenVersion = subject.kind === 'pull-request' ? undefined : version;
  return {
    template: templateFacts(event),
    subject,
    eventName: event.eventName ?? '',
    sha: event.sha === '' ? undefined : event.sha,
    defaultBranch: event.defaultBranch,
    givenVersion,
    version: givenVersion === undefined ? versionOfSubject(subject, tagPrefix) : parseGiven(givenVersion, tagPrefix),
    tagPrefix,
  };
}

function versionOfSubject(subject: Subject, tagPrefix: string): Version | undefined {
  return subject.kind === 'tag' ? parseVersion(subject.name, tagPrefix) : undefined;
}

function parseGiven(version: string, tagPrefix: string): Version | undefined {
  return parseVersion(version, tagPrefix) ?? parseVersion(version, 'v');
}

function defaultLines({ subject, version, tagPrefix }: RunFacts): readonly string[] {
  if (version !== undefined) {
    const lines = ['type=semver,pattern={{version}}', 'type=semver,pattern={{major}}.{{minor}}'];
    return version.release[0] === 0 ? lines : [...lines, 'type=semver,pattern={{major}}'];
  }
  switch (subject.kind) {
    case 'pull-request':
      return ['type=ref,event=pr'];
    case 'branch':
    case 'merge-queue':
      return ['type=ref,event=branch'];
    case 'tag':
      // With a prefix of its own, a component leaves the tags of the others alone.
      return tagPrefix === 'v' ? ['type=ref,event=tag'] : [];
    case 'none':
      return [];
  }
}

function defaultNotices({ implicit, run: { subject, version, tagPrefix } }: Assembly): readonly string[] {
  if (!implicit || subject.kind !== 'tag' || version !== undefined || tagPrefix === 'v') return [];
  return [`${quote(subject.name)} is no version behind the tag-prefix ${quote(tagPrefix)}: it makes no tag`];
}

function versionProblems({ version, tags, tagPrefix }: TagRequest): readonly RuleProblem[] {
  const problems: RuleProblem[] = [];
  // What git refuses in a ref, git-check-ref-format(1).
  if (/[\s\p{Cc}~^:?*[\\]/u.test(tagPrefix)) {
    problems.push({ input: 'tag-prefix', message: `${quote(tagPrefix)} can begin no git tag` });
  }
  if (version !== undefined && parseGiven(version, tagPrefix) === undefined) {
    const isOther = tags.length > 0 && parsePep440Version(version) !== undefined;
    const message = `${quote(version)} is not a version: 1.2.3 or 1.2.3-rc.1 is allowed (https://semver.org)`;
    if (!isOther) problems.push({ input: 'version', message });
  }
  return problems;
}

function problemsIn(input: string, results: readonly Parsed<unknown>[]): readonly RuleProblem[] {
  return results.flatMap((result) => (result.ok ? [] : [{ input, message: result.problem }]));
}
