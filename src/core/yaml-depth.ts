import { Lexer } from 'yaml';

const FLOW_STARTS = new Set(['[', '{']);
const FLOW_ENDS = new Set([']', '}']);
const COMPACT = new Set(['-', '?', ':']);

/** How much of a text is read. */
export interface YamlLimits {
  readonly maxDepth: number;
  /** Words, marks and line feeds. */
  readonly maxLexemes: number;
}

/** Whether YAML is beyond the limits. Looks at its words only, which costs the same however deep they are. */
export function isBeyond(text: string, { maxDepth, maxLexemes }: YamlLimits): boolean {
  let depth = 0;
  let compact = 0;
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (FLOW_STARTS.has(lexeme)) depth += 1;
    if (FLOW_ENDS.has(lexeme)) depth -= 1;
    if (depth <= 0 && COMPACT.has(lexeme)) compact += 1;
    if (lexeme.startsWith('\n') || lexeme.startsWith('\r')) compact = 0;
    count += 1;
    if (depth > maxDepth || compact > maxDepth || count > maxLexemes) return true;
  }
  return false;
}
