import { toPrintable } from '../core/printable.ts';

/**
 * The runner's text protocol: commands on standard output and in files. Written here, not taken from `@actions/core`: its
 * import costs more than the rest of a hit. Rules: actions/runner v2.336, ActionCommand.cs and FileCommandManager.cs.
 */
export interface CommandProperties {
  readonly file?: string;
  readonly line?: number;
  readonly title?: string;
}

/** `::name prop=value::message`, escaped so that no part can end the command or begin another. */
export function formatCommand(name: string, message: string, properties: CommandProperties = {}): string {
  const given = Object.entries(properties).filter(([, value]) => value !== undefined);
  const listed = given.map(([key, value]) => `${key}=${escapeProperty(String(value))}`).join(',');
  return `::${name}${listed === '' ? '' : ` ${listed}`}::${escapeData(message)}`;
}

/** Text as lines that the runner cannot take for commands, of either generation (`::x::` and `##[x]`). */
export function toPlainLines(text: string): string {
  return toPrintable(text)
    .split('\n')
    .map((line) => line.replace(/^(\s*)::/, '$1: :').replaceAll('##[', '## ['))
    .join('\n');
}

/** A block for a file command (GITHUB_OUTPUT, GITHUB_STATE …). `delimiter` must be unguessable. */
export function formatFileCommand(name: string, value: string, delimiter: string): string {
  if (name.includes(delimiter) || value.includes(delimiter)) throw new TypeError('the delimiter occurs in the text');
  return `${name}<<${delimiter}\n${value}\n${delimiter}\n`;
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
