import type { BuildSettings } from '../core/build-options.ts';
import { quote } from '../core/printable.ts';
import { readSshAgent } from '../core/run-options.ts';
import type { Problem } from '../errors.ts';
import type { Host } from '../host.ts';
import { hasWindowsRules } from '../recorded-bits.ts';

/** The secrets and SSH keys that this machine does not have. Cheap: to be asked before any request. */
export function findSecretProblems(
  host: Host,
  settings: Pick<BuildSettings, 'secretEnvs' | 'secretFiles' | 'ssh'>,
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
  return [...missing, ...findSshProblems(host, settings.ssh)];
}

/** An agent that is meant by its name alone may be there on the day of a build. */
function findSshProblems({ files }: Host, ssh: readonly string[]): readonly Problem[] {
  const agents = ssh.map(readSshAgent);
  const twice = agents.filter(({ id }, index) => agents.findIndex((other) => other.id === id) < index);
  // Pipes of Windows are no files; a path in quotes may be followed by raw=true.
  const paths = agents.flatMap((agent) => agent.paths).filter((one) => !one.startsWith('raw='));
  const absent = hasWindowsRules(files) ? [] : paths.filter((one) => files.kindOf(one) === undefined);
  return [
    ...twice.map(({ id }) => ({ input: 'ssh', message: `${quote(id)} is there twice; several keys: "ID=KEY,KEY"` })),
    ...absent.map((one) => ({ input: 'ssh', message: `there is no socket or key at ${quote(one)}` })),
  ];
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
