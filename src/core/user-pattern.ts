import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** A regular expression that a user wrote, safe to run on a stranger's ref name. */
export interface UserPattern {
  /** The whole match, then the groups; `undefined` when there is no match or the text is longer than 255 characters. */
  match(text: string): readonly (string | undefined)[] | undefined;
}

const MAX_PATTERN_LENGTH = 512;
const MAX_TEXT_LENGTH = 255;

/** Choices that a backtracking engine may have to try, as a power of two: 2^30 short steps take less than a second. */
const MAX_CHOICE_BITS = 30;
/** What one open repetition adds: it may end at each of 255 places. */
const OPEN_BITS = 8;

const TOKEN =
  /\\(?:u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|p\{[^}]*\}|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|\(\?(?::|<[a-z_]\w*>)|\((?!\?)|[*+?]\??|\{\d+(?:,\d*)?\}\??|[\s\S]/giu;

/**
 * Parses a regular expression: bare, or `/…/flags` with the flags i, m, s and u. Only what an engine of linear time can
 * do is taken (no look-around, no back-references), and nothing that could keep a backtracking one busy.
 */
export function parseUserPattern(text: string): Parsed<UserPattern> {
  const [, literal, flags = ''] = /^\/(.+)\/(.*)$/s.exec(text) ?? [];
  const source = literal ?? text;
  if (text.length > MAX_PATTERN_LENGTH) return unparsable(`a pattern of more than ${MAX_PATTERN_LENGTH} characters`);
  if (!/^[imsu]*$/.test(flags))
    return unparsable(`${quote(text)} has the flags ${quote(flags)}: i, m, s, u are allowed`);
  const slow = whySlow(source);
  if (slow !== undefined) return unparsable(`${quote(text)} ${slow}`);
  try {
    const regex = new RegExp(source, flags);
    return parsed({
      match: (subject) => (subject.length > MAX_TEXT_LENGTH ? undefined : (regex.exec(subject) ?? undefined)),
    });
  } catch (error) {
    return unparsable(`${quote(text)} is not a regular expression: ${error instanceof Error ? error.message : ''}`);
  }
}

/** What is counted of one alternative or group. */
interface Frame {
  bits: number;
  /** There is more than one way to match it. */
  varies: boolean;
}

interface Atom {
  readonly frame: Frame;
  /** The token of a single character or class; `undefined` for a group. */
  readonly token: string | undefined;
}

/** A reason not to run this pattern, or `undefined`. Syntax errors are left to the engine. */
function whySlow(source: string): string | undefined {
  const tokens: readonly string[] = source.match(TOKEN) ?? [];
  const frames: Frame[] = [{ bits: tokens[0] === '^' && !tokens.includes('|') ? 0 : OPEN_BITS, varies: false }];
  let atom: Atom | undefined;
  for (const [index, token] of tokens.entries()) {
    const frame = frames.at(-1) ?? { bits: 0, varies: false };
    const repetition = parseRepetition(token);
    if (/^\\[1-9k]/.test(token)) return 'has a back-reference, which is not supported';
    if (token === '(' && tokens[index + 1] === '?') return 'has a look-around or a modifier, which is not supported';
    if (token.startsWith('(')) {
      frames.push({ bits: 0, varies: false });
      atom = undefined;
    } else if (token === ')' && frames.length > 1) {
      frames.pop();
      addTo(frames.at(-1), frame);
      atom = { frame, token: undefined };
    } else if (token === '|') {
      addTo(frame, { bits: 1, varies: true });
    } else if (repetition !== undefined && atom !== undefined) {
      const added = choicesOf(atom, repetition, tokens.slice(index + 1));
      if (added === undefined)
        return 'repeats something that can itself match in several ways, which could take forever';
      addTo(frame, added);
      atom = undefined;
    } else {
      atom = { frame: { bits: 0, varies: false }, token };
    }
  }
  const { bits } = frames[0] ?? { bits: 0 };
  return bits > MAX_CHOICE_BITS ? 'has too many open repetitions: begin it with ^, or use fewer of * and +' : undefined;
}

function addTo(frame: Frame | undefined, added: Frame): void {
  if (frame === undefined) return;
  frame.bits += added.bits;
  frame.varies ||= added.varies;
}

/** The least and most times, when the token is a repetition. */
function parseRepetition(token: string): { readonly min: number; readonly max: number } | undefined {
  const simple = { '*': 0, '+': 1 }[token.charAt(0)];
  if (simple !== undefined) return { min: simple, max: Number.POSITIVE_INFINITY };
  if (token.startsWith('?')) return { min: 0, max: 1 };
  const [, min, comma, max] = /^\{(\d+)(,?)(\d*)\}/.exec(token) ?? [];
  if (min === undefined) return undefined;
  if (comma === '') return { min: Number(min), max: Number(min) };
  return { min: Number(min), max: max === '' ? Number.POSITIVE_INFINITY : Number(max) };
}

/** What a repetition adds; `undefined` when it repeats what varies: the steps could double with every character. */
function choicesOf(
  { frame, token }: Atom,
  { min, max }: { readonly min: number; readonly max: number },
  next: readonly string[],
): Frame | undefined {
  if (min === max) return { bits: frame.bits * Math.max(0, max - 1), varies: false };
  if (frame.varies && max > 1) return undefined;
  if (token !== undefined && endsBefore(token, next)) return { bits: 1, varies: true };
  return { bits: Math.min(OPEN_BITS, Math.ceil(Math.log2(max - min + 1))), varies: true };
}

/** True when a literal follows that the repeated character can never be: then there is one place to stop. */
function endsBefore(token: string, next: readonly string[]): boolean {
  const index = next.findIndex((one) => one !== ')');
  const literal = literalOf(next[index] ?? '');
  if (literal === undefined || parseRepetition(next[index + 1] ?? '') !== undefined) return false;
  try {
    return !new RegExp(`^${token}$`, 'is').test(literal);
  } catch {
    return false;
  }
}

function literalOf(token: string): string | undefined {
  if (/^\\[^A-Za-z0-9]$/.test(token)) return token.slice(1);
  return /^[^\\()[\]{}|*+?^$.]$/.test(token) ? token : undefined;
}
