/** How much of a stranger's text an error or a summary shows. */
const QUOTED_LENGTH = 120;

/** ECMA-48 §5.4 and §8.3.89; a command string that is not closed on its line hides nothing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
const UNPRINTABLE = /[^\P{Cc}\t\n]|[\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/**
 * The text without ANSI sequences; control characters, those that turn the direction of writing and halves of surrogate
 * pairs become U+FFFD. Tabs and line feeds stay.
 */
export function toPrintable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(ANSI, '').replace(UNPRINTABLE, '\ufffd');
}

/** One printable line of at most `maxLength` characters; an ellipsis says that it was cut. */
export function toLine(text: string, maxLength = QUOTED_LENGTH): string {
  const start = text.slice(0, maxLength * 4);
  const line = toPrintable(start).replace(/\s+/g, ' ').trim();
  if (line.length <= maxLength && start.length === text.length) return line;
  return `${line.slice(0, maxLength - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** The text in double quotes, as one printable line: how errors quote a value. Something never looks like nothing. */
export function quote(text: string): string {
  const line = toLine(text);
  return line === '' && text !== '' ? `"${text.trim() === '' ? ' ' : '\ufffd'}"` : `"${line}"`;
}
