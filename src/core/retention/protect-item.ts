import { parseDigest } from '../digest.ts';
import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';
import type { Piece, Report } from './piece.ts';
import type { ProtectItem, ProtectSource } from './policy.ts';
import { splitOptional } from './selector.ts';
import { isUnprintable, parseTagPattern } from './tag-pattern.ts';
import { suggestion } from './word-choice.ts';

const IN_USE = ['kubectl', 'docker', 'files', 'deployments'];
const SOURCES = ['@releases', '@git-tags', '@in-use', ...IN_USE.map((name) => `@in-use(${name})`), '@file(PATH)'];
const MAX_PATH_LENGTH = 1024;

/** Parses what is never deleted: `latest`, `v1.*?`, `/^v\d+$/`, `sha256:…`, `@releases`, `@file(deployed.txt)`. */
export function parseProtectItem(piece: Piece, report: Report): ProtectItem | undefined {
  const { item, optional } = splitOptional(piece);
  const read = parseItem(item.text);
  if (read.ok) return { optional, ...read.value };
  report(item, read.problem);
  return undefined;
}

/** An item as it is written. */
export function protectText({ text, optional }: ProtectItem): string {
  return `${text}${optional ? '?' : ''}`;
}

type Item =
  | {
      readonly text: string;
      readonly kind: 'tags';
      readonly selector: Extract<ProtectItem, { kind: 'tags' }>['selector'];
    }
  | { readonly text: string; readonly kind: 'digest'; readonly digest: string }
  | {
      readonly text: string;
      readonly kind: 'source';
      readonly source: ProtectSource;
      readonly argument: string | undefined;
    };

function parseItem(text: string): Parsed<Item> {
  if (text.startsWith('@')) return parseSource(text);
  if (/^sha\d+:/.test(text)) {
    return parseDigest(text) === undefined
      ? unparsable(`${quote(text)} is no digest: sha256: and 64 hexadecimal digits are allowed`)
      : parsed({ text, kind: 'digest', digest: text });
  }
  const pattern = parseTagPattern(text);
  return pattern.ok ? parsed({ text, kind: 'tags', selector: pattern.value }) : pattern;
}

function parseSource(text: string): Parsed<Item> {
  const [, name = '', given] = /^@([a-z-]+)(?:\((.*)\))?$/s.exec(text) ?? [];
  const argument = given?.trim();
  const item = { kind: 'source', argument } as const;
  if ((name === 'releases' || name === 'git-tags') && argument === undefined) {
    return parsed({ ...item, text, source: name });
  }
  if (name === 'in-use' && (argument === undefined || IN_USE.includes(argument))) {
    return parsed({ ...item, text: argument === undefined ? text : `@in-use(${argument})`, source: name });
  }
  if (name === 'file' && argument !== undefined && isPath(argument)) {
    return parsed({ ...item, text: `@file(${argument})`, source: name });
  }
  return unparsable(`${quote(text)} is no source: ${SOURCES.join(', ')} are allowed${suggestion(text, SOURCES)}`);
}

function isPath(text: string): boolean {
  return text !== '' && text.length <= MAX_PATH_LENGTH && !text.includes(')') && !isUnprintable(text);
}
