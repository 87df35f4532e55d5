import { flag, type Parse } from './core/kinds.ts';

/** One input of the action and flag of the CLI; `action.yml`, the help and the README's tables are made from these. */
export interface Option<T> {
  readonly group:
    | 'what'
    | 'many'
    | 'build'
    | 'tags'
    | 'hash'
    | 'reuse'
    | 'registry'
    | 'scan'
    | 'sign'
    | 'prune'
    | 'report';
  /** One sentence of Markdown. */
  readonly about: string;
  /** The text that stands in when none is given. */
  readonly default: string;
  readonly parse: Parse<T>;
  /** A list may be given as several flags of the CLI; a switch needs no value there. */
  readonly shape: 'text' | 'list' | 'switch';
  /** The default in `action.yml`, where it differs. */
  readonly actionDefault?: string;
  /** An environment variable that stands in when the input is empty. */
  readonly variable?: string;
  readonly secret?: true;
}

type About = Pick<Option<unknown>, 'group' | 'about'> &
  Partial<Pick<Option<unknown>, 'actionDefault' | 'variable' | 'secret'>>;

/** An option of one text. */
export function text<T>(parse: Parse<T>, about: About, standIn = ''): Option<T> {
  return { ...about, parse, default: standIn, shape: 'text' };
}

/** An option of several entries. */
export function list<T>(parse: Parse<readonly T[]>, about: About, standIn = ''): Option<readonly T[]> {
  return { ...about, parse, default: standIn, shape: 'list' };
}

/** An option that is on or off. */
export function toggle(about: About, standIn: boolean): Option<boolean> {
  return { ...about, parse: flag, default: String(standIn), shape: 'switch' };
}
