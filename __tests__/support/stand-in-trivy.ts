import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_DIRECTORY } from './programs.ts';
import { SCAN_FIXTURES } from './trivy-reports.ts';

/** A `trivy` that scans nothing: it answers what real Trivy has once said of something else, or fails as it is told. */
export interface StandInTrivy {
  /** A PATH with this trivy on it, and no docker. */
  readonly path: string;
  /** What every image holds from now on: the name of a report in fixtures/trivy. */
  finds(report: string): void;
  /** The same for the image of this digest alone. */
  findsIn(digest: string, report: string): void;
  /** Instead of a scan: lines of sh, which find the file for the report in `$output`. */
  does(script: string): void;
  /** The last argument of every call to scan: what was to be scanned. */
  scans(): readonly string[];
  /** The arguments of every call, whatever it was for. */
  calls(): readonly string[];
}

export function installStandInTrivy(parent: string, version = '0.70.0'): StandInTrivy {
  const directory = join(parent, 'trivy-bin');
  const at = (name: string): string => join(directory, name);
  mkdirSync(at('reports'), { recursive: true });
  appendFileSync(at('calls'), '');
  const answer = `cp '${at('reports')}/'"\${last##*@}" "$output" 2>/dev/null || cp '${at('reports')}/any' "$output"`;
  const lines = [
    '#!/bin/sh',
    `echo "$*" >> '${at('calls')}'`,
    `if [ "$1" = version ]; then echo '{"Version":"${version}"}'; exit; fi`,
    'for last; do case $last in --output=*) output=${last#--output=} ;; esac; done',
    `if [ "$1" = convert ]; then echo '{"bomFormat":"CycloneDX"}' > "$output"; exit; fi`,
    `. '${at('scan')}'`,
  ];
  writeFileSync(at('trivy'), `${lines.join('\n')}\n`, { mode: 0o755 });
  const findsIn = (digest: string, report: string): void => {
    writeFileSync(at(`reports/${digest}`), readFileSync(join(SCAN_FIXTURES, 'trivy', `${report}.json`)));
    writeFileSync(at('scan'), `${answer}\n`);
  };
  findsIn('any', 'clean');
  const calls = (): readonly string[] => readFileSync(at('calls'), 'utf8').trimEnd().split('\n').filter(Boolean);
  return {
    path: `${directory}:${NODE_DIRECTORY}:/usr/bin:/bin`,
    finds: (report) => findsIn('any', report),
    findsIn,
    does: (script) => writeFileSync(at('scan'), `${script}\n`),
    scans: () => calls().flatMap((call) => (call.startsWith('image ') ? [call.split(' ').at(-1) ?? ''] : [])),
    calls,
  };
}
