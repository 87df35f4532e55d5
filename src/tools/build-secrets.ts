import type { BuildSettings } from '../core/build-options.ts';
import { quote } from '../core/printable.ts';
import type { Problem } from '../errors.ts';
import type { Host } from '../host.ts';

/** The secrets that this machine does not have. Cheap: to be asked before any request. */
export function findSecretProblems(
  host: Host,
  settings: Pick<BuildSettings, 'secretEnvs' | 'secretFiles'>,
): readonly Problem[] {
  const missing: Problem[] = [];
  for (const { env } of settings.secretEnvs) {
    if (!host.env[env])
      missing.push({ input: 'secret-envs', message: `the environment variable ${quote(env)} is not set` });
  }
  for (const { path: file } of settings.secretFiles) {
    if (host.files.kindOf(file) === undefined)
      missing.push({ input: 'secret-files', message: `there is no file ${quote(file)}` });
  }
  return missing;
}

/**
 * What must not be shown: the secrets' values, and their lines, because a log shows a value line by line; lines of a letter
 * or two would hide everything. Longest first, so that replacing one leaves no rest of another.
 */
export function secretTexts(host: Host, settings: Pick<BuildSettings, 'secrets' | 'secretEnvs'>): readonly string[] {
  const values = [
    ...settings.secrets.map(({ value }) => value),
    ...settings.secretEnvs.map(({ env }) => host.env[env] ?? ''),
  ];
  const lines = values.flatMap((value) => value.split(/\r?\n/)).filter((line) => line.trim().length > 3);
  const texts = [...new Set([...values, ...lines])].filter((text) => text.trim() !== '');
  return texts.sort((a, b) => b.length - a.length);
}
