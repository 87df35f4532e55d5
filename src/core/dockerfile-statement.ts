import { bytesOfText, textOfBytes } from './byte-text.ts';
import { parseJson } from './json.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import type { EscapeCharacter } from './shell-words.ts';
import { isSpace, trimSpace, trimSpaceStart } from './unicode-space.ts';

/** A logical line taken apart, before anything is known about what its words mean. */
export interface Statement {
  /** As written. */
  readonly keyword: string;
  /** As written, without quotes and escapes: `--from=build`. */
  readonly flags: readonly string[];
  /** What each instruction's grammar makes of the rest; quotes, escapes and variables untouched. */
  readonly words: readonly string[];
  /** The words come from a JSON array. */
  readonly json: boolean;
  /** What ONBUILD is about. */
  readonly child?: Statement;
}

type Words = Parsed<{ readonly words: readonly string[]; readonly json: boolean; readonly child?: Statement }>;

const BLANKS = /[\t\v\f\r ]+/;

/** Takes a logical line apart as BuildKit does (v0.29, frontend/dockerfile/parser). An unknown keyword has no words. */
export function parseStatement(line: string, escape: EscapeCharacter): Parsed<Statement> {
  const text = trimSpace(line);
  const blanks = BLANKS.exec(text);
  const keyword = blanks === null ? text : text.slice(0, blanks.index);
  const rest = blanks === null ? '' : text.slice(blanks.index + blanks[0].length);
  const { flags, args } = splitFlags(rest, escape);
  const words = parseWords(keyword.toLowerCase(), trimSpace(args), escape);
  return words.ok ? parsed({ keyword, flags, ...words.value }) : words;
}

function parseWords(keyword: string, args: string, escape: EscapeCharacter): Words {
  switch (keyword) {
    case 'add':
    case 'copy':
    case 'volume':
      return jsonOr(args, splitBlanks);
    case 'cmd':
    case 'entrypoint':
    case 'run':
    case 'shell':
      return jsonOr(args, whole);
    case 'arg':
      return plain(splitQuoted(args, escape));
    case 'env':
    case 'label':
      return splitPairs(args, escape);
    case 'expose':
    case 'from':
      return plain(splitBlanks(args));
    case 'healthcheck':
      return splitHealthcheck(args);
    case 'onbuild':
      return splitTrigger(args, escape);
    case 'maintainer':
    case 'stopsignal':
    case 'user':
    case 'workdir':
      return plain(whole(args));
    default:
      return plain([]);
  }
}

function plain(words: readonly string[]): Words {
  return parsed({ words, json: false });
}

function whole(args: string): readonly string[] {
  return args === '' ? [] : [args];
}

function splitBlanks(args: string): readonly string[] {
  return args === '' ? [] : args.split(BLANKS);
}

/** Text that is not valid JSON is taken as words; an array of anything but strings is a problem. */
function jsonOr(args: string, otherwise: (args: string) => readonly string[]): Words {
  const json = trimSpaceStart(args).startsWith('[') ? parseJson(trimSpace(args)) : undefined;
  if (!Array.isArray(json)) return plain(otherwise(args));
  const words = json.filter((word) => typeof word === 'string');
  if (words.length < json.length) return unparsable(`${quote(args)} is an array of other things than strings`);
  return parsed({ words: words.map((word) => word.replace(/\p{Cs}/gu, '\ufffd')), json: true });
}

/** `NAME=value …`, or the old form `NAME the rest`, which is two words. */
function splitPairs(args: string, escape: EscapeCharacter): Words {
  const words = splitQuoted(args, escape);
  const first = words[0];
  if (first === undefined) return plain([]);
  if (first.includes('=')) {
    const bad = words.find((word) => !word.includes('='));
    return bad === undefined ? plain(words) : unparsable(`${quote(bad)} has no "=": NAME=value is allowed`);
  }
  const blanks = BLANKS.exec(args);
  if (blanks === null) return unparsable(`${quote(args)} has no value: NAME=value is allowed`);
  return plain([args.slice(0, blanks.index), args.slice(blanks.index + blanks[0].length)]);
}

function splitHealthcheck(args: string): Words {
  const [head = '', type = ''] = /^([^\t-\r ]+)[\t-\r ]*/.exec(args) ?? [];
  if (type === '') return plain([]);
  const command = jsonOr(args.slice(head.length), whole);
  return command.ok ? parsed({ words: [type, ...command.value.words], json: command.value.json }) : command;
}

function splitTrigger(args: string, escape: EscapeCharacter): Words {
  if (args === '') return plain([]);
  // ONBUILD in ONBUILD is refused later; to follow a chain of them would take a stack frame each.
  const isChain = /^onbuild(?:[\t\v\f\r ]|$)/i.test(args);
  const child = parseStatement(isChain ? 'ONBUILD' : args, escape);
  return child.ok ? parsed({ words: [child.value.keyword], json: false, child: child.value }) : child;
}

/** Words divided by white space outside quotes; quotes and escapes stay. */
function splitQuoted(args: string, escape: EscapeCharacter): readonly string[] {
  const characters = Array.from(args);
  const words: string[] = [];
  let word = '';
  let quoteMark = '';
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (quoteMark === '' && isSpace(character)) {
      if (word !== '') words.push(word);
      word = '';
    } else if (character === escape && quoteMark !== "'") {
      const escaped = characters[index + 1];
      index += 1;
      word += escaped === undefined ? '' : character + escaped;
    } else {
      if (quoteMark === '' && (character === '"' || character === "'")) quoteMark = character;
      else if (character === quoteMark) quoteMark = '';
      word += character;
    }
  }
  return word === '' ? words : [...words, word];
}

/** The words in front that begin with `--`, up to a lone `--`, and what follows them. */
function splitFlags(rest: string, escape: EscapeCharacter): { flags: readonly string[]; args: string } {
  // BuildKit goes through this part byte by byte and takes each byte for a character.
  const bytes = toByteString(rest);
  const flags: string[] = [];
  let position = 0;
  for (;;) {
    while (isByteSpace(bytes.charAt(position))) position += 1;
    if (!bytes.startsWith('--', position)) return { flags, args: fromByteString(bytes.slice(position)) };
    const { word, end } = readFlag(bytes, position, escape);
    position = end;
    if (word === '--') return { flags, args: fromByteString(bytes.slice(position)) };
    flags.push(word);
  }
}

function readFlag(bytes: string, start: number, escape: EscapeCharacter): { word: string; end: number } {
  let word = '';
  let quoteMark = '';
  let position = start;
  for (; position < bytes.length; position += 1) {
    const character = bytes.charAt(position);
    if (quoteMark === '' && isByteSpace(character)) break;
    if (quoteMark === '' && (character === '"' || character === "'")) quoteMark = character;
    else if (character === quoteMark) quoteMark = '';
    else if (character === escape) {
      position += 1;
      word += bytes.charAt(position);
    } else word += character;
  }
  return { word, end: position };
}

function isByteSpace(byte: string): boolean {
  return byte !== '' && '\t\n\v\f\r \u0085\u00a0'.includes(byte);
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

function toByteString(text: string): string {
  if (isAscii(text)) return text;
  let bytes = '';
  for (const byte of bytesOfText(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

function fromByteString(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  return textOfBytes(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}
