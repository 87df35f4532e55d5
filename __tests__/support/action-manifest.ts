import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** What the runner takes from an `action.yml`. */
export interface ActionManifest {
  readonly using: string;
  /** Relative to the action's folder. */
  readonly main: string;
  readonly post: string | undefined;
  /** Name → default, before expressions are evaluated; an input without a default has an empty one. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: readonly string[];
}

/** Reads `action.yml` of a JavaScript action. An error says what the runner would not load. */
export function readActionManifest(folder: string): ActionManifest {
  const file = join(folder, 'action.yml');
  const root = mapping(parse(readFileSync(file, 'utf8')), file);
  const runs = mapping(root['runs'], 'runs');
  const inputs = mapping(root['inputs'] ?? {}, 'inputs');
  return {
    using: text(runs['using'], 'runs.using'),
    main: text(runs['main'], 'runs.main'),
    post: runs['post'] === undefined ? undefined : text(runs['post'], 'runs.post'),
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, input]) => [name, scalar(mapping(input, `inputs.${name}`)['default'], name)]),
    ),
    outputs: Object.keys(mapping(root['outputs'] ?? {}, 'outputs')),
  };
}

/** The value of a default: only `${{ github.NAME }}` is evaluated, anything else in `${{ }}` is an error. */
export function evaluateDefault(value: string, github: Readonly<Record<string, string>>): string {
  return value.replace(/\$\{\{(.*?)\}\}/g, (expression, inner: string) => {
    const name = /^\s*github\.([a-z_]+)\s*$/.exec(inner)?.[1];
    const found = name === undefined ? undefined : github[name];
    if (found === undefined) throw new Error(`the emulator cannot evaluate ${expression}`);
    return found;
  });
}

function mapping(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${where} is not a mapping`);
  return Object.fromEntries(Object.entries(value));
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw new Error(`${where} is not a string`);
  return value;
}

function scalar(value: unknown, where: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`the default of ${where} is not a scalar`);
}
