import { optional, optionalText, type Parse } from './core/kinds.ts';
import { parsed, unparsable } from './core/parsed.ts';
import { quote } from './core/printable.ts';
import { text, toggle } from './option.ts';

const planHash: Parse<string> = (given) =>
  /^[0-9a-f]{64}$/.test(given.trim())
    ? parsed(given.trim())
    : unparsable(`${quote(given)} is no hash of a plan: the 64 hexadecimal digits that the run printed are allowed`);

/** The inputs of retention, for the one table of inputs. */
export const PRUNE_OPTIONS = {
  retention: text(optionalText, {
    group: 'prune',
    about:
      'What to keep, of each of `images`; the rest is deleted, after tagging. `10`: the 10 highest versions, and the 10 newest of the other images. `30d`, or rules, one a line: docs/retention.md. Default: nothing is deleted.',
    variable: 'BUTLER_IMAGE_KEEP_COUNT',
  }),
  confirm: text(optional(planHash), {
    group: 'prune',
    about: 'The hash of a plan that a run stopped at, because it deletes much: exactly that plan is carried out.',
  }),
  'dry-run': toggle({ group: 'prune', about: 'Say what `retention` would delete, and delete nothing.' }, false),
  local: toggle(
    {
      group: 'prune',
      about:
        "Prune the local Docker engine's images, not a registry's; without `retention`, 3 of each repository stay.",
    },
    false,
  ),
} as const;
