/** What a pure parser answers: the value, or a sentence that says what is wrong, quoting the text and what is allowed. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function unparsable(problem: string): Parsed<never> {
  return { ok: false, problem };
}
