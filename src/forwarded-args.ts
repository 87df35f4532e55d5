import { parseJson, textAt, valueAt } from './core/json.ts';
import { splitOnce } from './core/split-once.ts';
import type { Files, Host } from './host.ts';
import { hasWindowsRules } from './recorded-bits.ts';
import { dockerConfigFolder } from './registry/docker-config-file.ts';

/** Field of a proxy in Docker's configuration, and the build arg that it becomes. */
const PROXIES = [
  ['httpProxy', 'HTTP_PROXY'],
  ['httpsProxy', 'HTTPS_PROXY'],
  ['ftpProxy', 'FTP_PROXY'],
  ['noProxy', 'NO_PROXY'],
  ['allProxy', 'ALL_PROXY'],
] as const;
const DEFAULT_ENGINE = 'unix:///var/run/docker.sock';
const DEFAULT_ENGINE_OF_WINDOWS = 'npipe:////./pipe/docker_engine';

/** True for the build args that every Dockerfile has without declaring them: `HTTP_PROXY`, `no_proxy` … */
export function isProxyArg(name: string): boolean {
  return /^(?:https?|ftp|no|all)_proxy$/i.test(name);
}

/**
 * The build args that buildx passes without being told: the environment's SOURCE_DATE_EPOCH, and the `proxies` of Docker's
 * configuration, in both spellings (docker/cli v28.5, ParseProxyConfig). Values may hold passwords: never print them. A
 * configuration that cannot be read has none; whoever uses it will say so.
 */
export function forwardedArgs({ env, cwd, files }: Pick<Host, 'env' | 'cwd' | 'files'>): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  const clock = env['SOURCE_DATE_EPOCH'] ?? '';
  if (clock !== '') args.set('SOURCE_DATE_EPOCH', clock);
  const proxies = valueAt(
    parseJson(readConfig(files, files.path.resolve(cwd, dockerConfigFolder(env), 'config.json'))),
    'proxies',
  );
  const engine = hasWindowsRules(files) ? DEFAULT_ENGINE_OF_WINDOWS : DEFAULT_ENGINE;
  const proxy = valueAt(proxies, env['DOCKER_HOST'] || engine) ?? valueAt(proxies, 'default');
  for (const [field, name] of PROXIES) {
    const value = textAt(proxy, field);
    if (value === undefined) continue;
    args.set(name, value);
    args.set(name.toLowerCase(), value);
  }
  return args;
}

/**
 * The build args that a build has, by name: those that are given, of which the last one wins, over those that buildx passes by
 * itself. `KEY` alone takes its value from the environment, and means nothing without one there.
 */
export function effectiveArgs(
  given: readonly string[],
  host: Pick<Host, 'env' | 'cwd' | 'files'>,
): ReadonlyMap<string, string> {
  const args = new Map(forwardedArgs(host));
  for (const arg of given) {
    const [name = '', value = host.env[arg]] = splitOnce(arg, '=');
    if (value !== undefined) args.set(name, value);
  }
  return args;
}

function readConfig(files: Files, file: string): string {
  try {
    return files.readText(file) ?? '';
  } catch {
    return '';
  }
}
