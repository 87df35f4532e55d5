/** Something about a file that was read. */
export interface Finding {
  /** As it was given. */
  readonly file: string;
  readonly line: number | undefined;
  readonly message: string;
}

/** Takes down what is found in one file. */
export interface Reader {
  readonly file: string;
  /** Something is wrong, unless something `beyond` makes it right. */
  problem(line: number | undefined, message: string): void;
  /** Something is wrong, whoever reads the file. */
  certain(line: number | undefined, message: string): void;
  /** Something means what only buildx knows; `what` it is. */
  beyond(line: number | undefined, what: string): void;
  notice(line: number | undefined, message: string): void;
}

export interface Findings {
  readonly problems: readonly Finding[];
  /** Those of the problems that stand in any case. */
  readonly certain: readonly Finding[];
  readonly beyond: readonly Finding[];
  readonly notices: readonly Finding[];
  in(file: string): Reader;
}

/** Empty findings. What is told twice is kept once. */
export function createFindings(): Findings {
  const problems: Finding[] = [];
  const certain: Finding[] = [];
  const beyond: Finding[] = [];
  const notices: Finding[] = [];
  const seen = new Set<string>();
  const add = (finding: Finding, ...lists: readonly Finding[][]): void => {
    const key = JSON.stringify([finding.file, finding.line, finding.message]);
    if (seen.has(key)) return;
    seen.add(key);
    for (const list of lists) list.push(finding);
  };
  return {
    problems,
    certain,
    beyond,
    notices,
    in: (file) => ({
      file,
      problem: (line, message) => add({ file, line, message }, problems),
      certain: (line, message) => add({ file, line, message }, problems, certain),
      beyond: (line, message) => add({ file, line, message }, beyond),
      notice: (line, message) => add({ file, line, message }, notices),
    }),
  };
}
