/**
 * What a step's output means to actions/runner v2.336 (src/Runner.Worker/ActionCommandManager.cs and
 * src/Runner.Common/ActionCommand.cs): each line of stdout and stderr may be a command, `::name key=value::data` at its
 * start or the older `##[name key=value]data` anywhere in it. So text of a stranger in a log is an attack; the emulator
 * obeys it as the runner would, and a test sees what came of it.
 */

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  readonly message: string;
  readonly title?: string;
  /** As given, with `line`, `col`, `endLine` and `endColumn` where there are. */
  readonly file?: string;
  readonly line?: number;
}

interface Command {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
}

const COMMANDS = new Set(
  'add-mask add-matcher add-path debug echo endgroup error group notice remove-matcher save-state set-env set-output stop-commands warning'.split(
    ' ',
  ),
);

/** Reads a step's output line by line and keeps what its commands did. */
export class StepLog {
  readonly annotations: Annotation[] = [];
  readonly groups: string[] = [];
  /** Set by the deprecated commands, which still work. */
  readonly outputs: Record<string, string> = {};
  readonly state: Record<string, string> = {};
  /** Commands that the runner refuses; each fails the step. */
  readonly problems: string[] = [];
  /** What the log page shows: masked, without the commands that are only for the runner. */
  readonly lines: string[] = [];
  readonly #masks: string[];
  #stopToken: string | undefined;

  /** `masks` are the secrets that the runner knows before the step starts. */
  constructor(masks: readonly string[]) {
    this.#masks = [...masks];
  }

  read(line: string): void {
    const command = parseCommand(line, this.#stopToken);
    if (command === undefined) this.lines.push(this.mask(line));
    else if (command.name === this.#stopToken) this.#stopToken = undefined;
    else if (this.#stopToken !== undefined) this.lines.push(this.mask(line));
    else this.#obey(command);
  }

  /** The text with every secret replaced, line by line as the runner does it. */
  mask(text: string): string {
    const longestFirst = this.#masks.toSorted((a, b) => b.length - a.length);
    return text
      .split('\n')
      .map((line) => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), line))
      .join('\n');
  }

  #obey({ name, properties, data }: Command): void {
    if (name === 'error' || name === 'warning' || name === 'notice') this.#annotate(name, properties, data);
    else if (name === 'add-mask') this.#addMask(data);
    else if (name === 'group') {
      this.groups.push(this.mask(data));
      this.lines.push(`##[group]${this.mask(data)}`);
    } else if (name === 'stop-commands') {
      if (data.trim() === '' || COMMANDS.has(data)) this.problems.push(`invalid stop token ${JSON.stringify(data)}`);
      else this.#stopToken = data;
    } else if (name === 'set-output' || name === 'save-state') {
      const values = name === 'set-output' ? this.outputs : this.state;
      values[properties['name'] ?? ''] = data;
      this.#annotate('warning', {}, `The \`${name}\` command is deprecated`);
    } else if (name === 'set-env' || name === 'add-path') {
      this.problems.push(`The \`${name}\` command is disabled`);
    }
  }

  #annotate(level: Annotation['level'], properties: Command['properties'], data: string): void {
    const { title, file, line } = properties;
    const message = this.mask(data);
    this.annotations.push({
      level,
      message,
      ...(title === undefined ? {} : { title }),
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line: Number(line) }),
    });
    this.lines.push(`##[${level}]${message}`);
  }

  #addMask(secret: string): void {
    if (secret.trim() === '') this.#annotate('warning', {}, "Can't add secret mask for empty string");
    else this.#masks.push(...new Set([secret, ...secret.split(/\r?\n/).filter((part) => part !== '')]));
  }
}

/** The command that a line is; `undefined` for plain text. `stopToken` is a command too while commands are stopped. */
function parseCommand(line: string, stopToken?: string): Command | undefined {
  const trimmed = line.trimStart();
  const end = trimmed.startsWith('::') ? trimmed.indexOf('::', 2) : -1;
  const known = (name: string): boolean => COMMANDS.has(name) || name === stopToken;
  if (end >= 0) {
    const [name, properties] = splitHead(trimmed.slice(2, end), ',', unescapeProperty);
    if (known(name)) return { name, properties, data: unescapeData(trimmed.slice(end + 2)) };
  }
  const start = line.indexOf('##[');
  const bracket = start < 0 ? -1 : line.indexOf(']', start);
  if (bracket < 0) return undefined;
  const [name, properties] = splitHead(line.slice(start + 3, bracket), ';', unescapeOld);
  return known(name) ? { name, properties, data: unescapeOld(line.slice(bracket + 1)) } : undefined;
}

function splitHead(
  head: string,
  separator: string,
  unescape: (text: string) => string,
): [name: string, properties: Record<string, string>] {
  const space = head.indexOf(' ');
  if (space < 0) return [head, {}];
  const pairs = head
    .slice(space + 1)
    .trim()
    .split(separator)
    .filter((pair) => pair.includes('='));
  const properties = pairs.map((pair): [string, string] => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, equals), unescape(pair.slice(equals + 1))];
  });
  return [head.slice(0, space), Object.fromEntries(properties)];
}

function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
}

function unescapeProperty(text: string): string {
  return text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%');
}

function unescapeOld(text: string): string {
  return text.replaceAll('%3B', ';').replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%5D', ']');
}
