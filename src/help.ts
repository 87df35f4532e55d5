import { OPTION_NAMES, OPTION_TABLE } from './option-table.ts';

const COMMANDS = `build-once: build each container image once per content

Usage: build-once COMMAND [CONTEXT] [--FLAG VALUE …]

Commands
  build     reuse the image when the registry has this content, else build, push and tag it
  plan      [FILES] say which images of bake files, compose files or Dockerfiles are missing, as a matrix of jobs; build --files builds them
  hash      print the hash tag of what the build would read
  explain   [REF] list in what this differs from an image: a tag, REPOSITORY:TAG, or the latest; --all for every line
  scan      [REF] scan every platform of an image that is in a registry, and judge what was found
  verify    [REF] verify who has signed an image that is in a registry
  prune     print what --retention would delete; --apply deletes it, --plan-out FILE writes the plan, --apply --plan FILE carries it out
  cleanup   the same as prune --apply, and asks first on a terminal unless --yes; --keep N for --retention, --repo NAME for --images
  undo      JOURNAL bring back what a run deleted
  demo      show it all on a small sample, in a registry of its own, and clean up
  help      this page
  version   the version of this program

Exit codes: 0 done, 1 failed, 2 bad input, 3 refused for safety, 130/143 interrupted.
Results go to standard output, messages to standard error. --json prints the whole report.
hash --manifest prints what went in: its sha256 is the content hash.

Flags (lists may be repeated)`;

/** The help page, made from the option table. */
export function helpText(): string {
  const width = Math.max(...OPTION_NAMES.map((name) => name.length)) + 4;
  const rows = OPTION_NAMES.filter((name) => name !== 'command').map((name) => {
    const { about, default: standIn } = OPTION_TABLE[name];
    const shown = standIn === '' || about.includes('Default:') ? '' : ` (default: ${standIn})`;
    return `  ${`--${name}`.padEnd(width)}${about.replaceAll('`', '')}${shown}`;
  });
  return [COMMANDS, ...rows].join('\n');
}
