/** How much of a stranger's text an error or a summary shows. */
const QUOTED_LENGTH = 120;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
const ANSI = /\u001b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** The text without ANSI sequences, control characters and bidirectional overrides; tabs and line feeds stay. */
export function toPrintable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(ANSI, '').replace(CONTROL, '\ufffd');
}

/** One printable line of at most `maxLength` characters; an ellipsis says that it was cut. */
export function toLine(text: string, maxLength = QUOTED_LENGTH): string {
  const line = toPrintable(text.slice(0, maxLength * 4))
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** The text in double quotes, as one printable line: how errors quote a value. */
export function quote(text: string): string {
  return `"${toLine(text)}"`;
}
