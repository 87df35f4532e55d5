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
  /** Something is wrong. */
  problem(line: number | undefined, message: string): void;
  /** Something means what only buildx knows; `what` it is. */
  beyond(line: number | undefined, what: string): void;
  notice(line: number | undefined, message: string): void;
}

export interface Findings {
  readonly problems: readonly Finding[];
  readonly beyond: readonly Finding[];
  readonly notices: readonly Finding[];
  in(file: string): Reader;
}

/** Empty findings. What is told twice is kept once. */
export function createFindings(): Findings {
  const problems: Finding[] = [];
  const beyond: Finding[] = [];
  const notices: Finding[] = [];
  const seen = new Set<string>();
  const add = (list: Finding[], finding: Finding): void => {
    const key = JSON.stringify([finding.file, finding.line, finding.message]);
    if (seen.has(key)) return;
    seen.add(key);
    list.push(finding);
  };
  return {
    problems,
    beyond,
    notices,
    in: (file) => ({
      file,
      problem: (line, message) => add(problems, { file, line, message }),
      beyond: (line, message) => add(beyond, { file, line, message }),
      notice: (line, message) => add(notices, { file, line, message }),
    }),
  };
}
