import { anyText, choice, listOf, optional, optionalText } from './core/kinds.ts';
import {
  databaseReference,
  downloadUrl,
  PKG_TYPES,
  SCAN_FORMATS,
  SCANNERS,
  time,
  trivyVersion,
  wordsOf,
} from './core/scan-options.ts';
import { FAIL_ON, severityBudget, severityList } from './core/scan-rules.ts';
import { list, text, toggle } from './option.ts';

const paths = listOf(anyText, { commas: true });

/** The inputs of the scan, for the one table of inputs. */
export const SCAN_OPTIONS = {
  scan: toggle(
    {
      group: 'scan',
      about: 'Scan every platform of the image with Trivy, on a hit as well. `false` leaves Trivy out.',
    },
    true,
  ),
  'scan-fail-on': text(
    choice(...FAIL_ON),
    {
      group: 'scan',
      about:
        'What stops the run before any tag: nothing (`none`), findings that the published image does not have (`new`), every finding (`any`).',
    },
    'none',
  ),
  'scan-severity': list(
    severityList,
    { group: 'scan', about: 'The severities that `scan-fail-on` speaks of. The report holds all of them.' },
    'CRITICAL,HIGH',
  ),
  'scan-ignore-unfixed': toggle(
    { group: 'scan', about: 'Let vulnerabilities that no version mends stop nothing. The report holds them.' },
    false,
  ),
  'scan-budget': text(severityBudget, {
    group: 'scan',
    about: 'How many findings of a severity are allowed, whatever `scan-fail-on` says: `CRITICAL=0,HIGH=5`.',
  }),
  'scan-scanners': list(
    wordsOf(SCANNERS),
    { group: 'scan', about: 'What to look for: `vuln`, `secret`, `misconfig`, `license`.' },
    'vuln,secret',
  ),
  'scan-pkg-types': list(
    wordsOf(PKG_TYPES),
    { group: 'scan', about: "Whose packages to look at: the distribution's (`os`), those of languages (`library`)." },
    'os,library',
  ),
  'scan-skip-dirs': list(paths, { group: 'scan', about: 'Directories of the image to leave out.' }),
  'scan-skip-files': list(paths, { group: 'scan', about: 'Files of the image to leave out.' }),
  'scan-ignore-file': text(optionalText, {
    group: 'scan',
    about: "Findings to leave out, in Trivy's form. Default: `.trivyignore` or `.trivyignore.yaml` where there is one.",
  }),
  'scan-vex': list(listOf(anyText), {
    group: 'scan',
    about: 'VEX documents that say what does not affect the image: files, `repo` or `oci`, one a line.',
  }),
  'scan-format': list(
    wordsOf(SCAN_FORMATS),
    { group: 'scan', about: 'The files of the report: `table`, `sarif`, `json`, `cyclonedx`.' },
    'table,sarif',
  ),
  'scan-timeout': text(time, { group: 'scan', about: 'The longest that the scan of one platform may take.' }, '10m'),
  'rescan-after': text(
    time,
    {
      group: 'scan',
      about: 'On a hit, how old the result that is kept with the image may be before it is scanned again.',
    },
    '24h',
  ),
  'scan-db-repository': list(listOf(databaseReference, { commas: true }), {
    group: 'scan',
    about: "Where the vulnerability database is, the first that answers. Default: Trivy's own mirrors.",
  }),
  'scan-java-db-repository': list(listOf(databaseReference, { commas: true }), {
    group: 'scan',
    about: "The same for the index of Java archives. Default: Trivy's own mirrors.",
  }),
  'trivy-version': text(optional(trivyVersion), {
    group: 'scan',
    about: 'The version of Trivy. Default: 0.70.0, or a newer 0.x that is installed.',
  }),
  'trivy-download-url': text(optional(downloadUrl), {
    group: 'scan',
    about: 'Where Trivy is downloaded from, for mirrors. Default: its releases on GitHub.',
  }),
} as const;
