import type { FigureSource } from './figures.ts';
import { withFigures } from './figures.ts';
import { type Group, measurablesOf } from './groups.ts';
import { isReached, type Result, type Results, type Session } from './results.ts';
import { describeMachine, describeSession } from './session-text.ts';
import { SHORTFALLS, type Shortfall } from './shortfalls.ts';
import { figuresOf, renderRows } from './table.ts';

/** What the page is made from. */
export interface PageSource {
  readonly template: string;
  readonly results: Results;
  readonly groups: readonly Group[];
  readonly settings: FigureSource['settings'];
}

const FIRST_LETTER = 0x41;
const MADE = '<!-- Made from bench/results.json and bench/performance.template.md by npm run docs: edit those. -->';

/**
 * docs/performance.md: the template with its figures. Of its paragraphs `{{group NAME}}` is the table of a group and when it was
 * measured, `{{shortfalls}}` what falls short, `{{machines}}` where it was measured; of the others and of list items, those that
 * need a figure which nobody has measured are left out. Error when the template asks for what there is not.
 */
export function renderPage({ template, results, groups, settings }: PageSource): string {
  const ids = groups.flatMap((group) => measurablesOf(group).map(({ name }) => name));
  const source: FigureSource = { rows: results.rows, ids, settings };
  const machines = machinesOf(results.sessions);
  const blocks = template
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const [, name, argument] = /^\{\{(group|shortfalls|machines)(?: ([a-z]+))?\}\}$/.exec(block) ?? [];
      if (name === 'shortfalls') return renderShortfalls(source);
      if (name === 'machines') return machines.map((text, index) => `- ${letter(index)}: ${text}`).join('\n');
      if (name === 'group') return renderGroup(groupOf(groups, argument ?? ''), results, machines);
      return itemsOf(block)
        .flatMap((item) => withFigures(item, source) ?? [])
        .join('\n');
    });
  return `${[MADE, ...blocks].filter((block) => block !== '').join('\n\n')}\n`;
}

function groupOf(groups: readonly Group[], name: string): Group {
  const group = groups.find((one) => one.name === name);
  if (group === undefined) throw new Error(`{{group ${name}}}: there is no such group`);
  return group;
}

/** A list by its items; anything else is one. */
function itemsOf(block: string): readonly string[] {
  return block.startsWith('- ') ? block.split(/\n(?=- )/) : [block];
}

function renderGroup(group: Group, { rows, sessions }: Results, machines: readonly string[]): string {
  const own = rows.filter((row) => row.group === group.name);
  const unmeasured = measurablesOf(group).filter(({ name }) => own.every(({ id }) => id !== name));
  return [
    renderRows(own),
    ...conditions(own, sessions, machines),
    ...(unmeasured.length === 0
      ? []
      : [`Not measured yet: ${unmeasured.map(({ name }) => `\`${name}\``).join(', ')}.`]),
  ]
    .filter((block) => block !== '')
    .join('\n\n');
}

/** One line when the rows are of one session, else one for each with the rows that are its own. */
function conditions(
  rows: readonly Result[],
  sessions: readonly Session[],
  machines: readonly string[],
): readonly string[] {
  const used = sessions.filter(({ id }) => rows.some((row) => row.session === id));
  const lines = used.map((session) => {
    const where = letter(machines.indexOf(describeMachine(session)));
    const ids = rows.filter((row) => row.session === session.id).map(({ id }) => `\`${id}\``);
    const which = used.length === 1 ? '' : ` (${ids.join(', ')})`;
    return `Measured${which}: machine ${where}, ${describeSession(session)}.`;
  });
  return lines.length === 0 ? [] : [lines.length === 1 ? lines.join('') : lines.map((line) => `- ${line}`).join('\n')];
}

/** Each once, in the order of the sessions. */
function machinesOf(sessions: readonly Session[]): readonly string[] {
  return [...new Set(sessions.map(describeMachine))];
}

function letter(index: number): string {
  return String.fromCodePoint(FIRST_LETTER + index);
}

/** Every row that misses its target, with what is known of the reason. */
function renderShortfalls(source: FigureSource): string {
  const short = source.rows.filter((row) => isReached(row) === false);
  const explained = SHORTFALLS.flatMap((shortfall) => {
    const own = short.filter(({ id }) => shortfall.rows.includes(id));
    return own.length === 0 ? [] : [explain(shortfall, own, source)];
  });
  const others = short.filter(({ id }) => SHORTFALLS.every(({ rows }) => !rows.includes(id)));
  const rest = others.map((row) => `- **\`${row.id}\`** (${missed(row)}). Nobody has looked into it yet.`);
  return [...explained, ...rest].join('\n') || 'Nothing: every target is reached.';
}

function explain({ title, sentences }: Shortfall, rows: readonly Result[], source: FigureSource): string {
  const figures = rows.map((row) => (rows.length === 1 ? missed(row) : `\`${row.id}\`: ${missed(row)}`));
  const known = sentences.flatMap((sentence) => withFigures(sentence, source) ?? []);
  return `- **${title}** (${figures.join('; ')}). ${known.join(' ')}`;
}

function missed(row: Result): string {
  const { median, target } = figuresOf(row);
  return `${median}, target ${target}`;
}
