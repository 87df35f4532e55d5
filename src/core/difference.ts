/** What a difference is about. */
export type Subject = 'file' | 'image' | 'arg' | 'instruction' | 'option' | 'context' | 'hash-file' | 'rule';

/** One thing in which two input manifests differ. Its texts are as they stand there: not fit for a terminal. */
export interface Difference {
  readonly subject: Subject;
  readonly kind: 'changed' | 'added' | 'removed';
  /** A path, a reference, the name of an arg or option, an instruction. */
  readonly name: string;
  /** The platforms that it is for, where it is not for all; the named context that a file is of. */
  readonly where?: string;
  readonly before?: string;
  readonly after?: string;
  /** What has happened, where the values alone do not say it. */
  readonly note?: string;
}

/** Two texts under each name; the differences in the order of the names, those of `before` first. */
export function compareTexts(
  subject: Subject,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly Difference[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.flatMap((name) => compareText({ subject, name }, before.get(name), after.get(name)));
}

/** `undefined` is for what is not there. */
export function compareText(
  what: Pick<Difference, 'subject' | 'name' | 'where' | 'note'>,
  before: string | undefined,
  after: string | undefined,
): readonly Difference[] {
  if (before === after) return [];
  if (before === undefined) return [{ ...what, kind: 'added', ...(after === undefined ? {} : { after }) }];
  if (after === undefined) return [{ ...what, kind: 'removed', before }];
  return [{ ...what, kind: 'changed', before, after }];
}
