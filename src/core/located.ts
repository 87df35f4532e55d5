/** What a reader of a file answers: the value, or what is wrong and on which line, counted from 1. */
export type Located<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string; readonly line: number };

export function located<T>(value: T): Located<T> {
  return { ok: true, value };
}

export function misplaced(problem: string, line: number): Located<never> {
  return { ok: false, problem, line };
}
