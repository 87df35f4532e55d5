import { basename, dirname, join } from 'node:path';
import { registryAddress } from '../core/reference.ts';
import { dockerConfigFolder } from './docker-config-file.ts';
import { listOptionalFolder } from './optional-folder.ts';
import type { Scope } from './scope.ts';

/**
 * The folders with a Docker configuration for this registry and scope only, the most specific first: what
 * docker/login-action with `scope:` writes, and buildx reads, under `$BUILDX_CONFIG/config` as `HOST[/REPOSITORY][@ACTIONS]`.
 * One for the repository goes before one for the registry, and one for more actions before one for less.
 * https://github.com/docker/buildx/blob/v0.31.0/util/dockerutil/dockerconfig/configprovider.go
 */
export function scopedConfigFolders(
  env: Readonly<Record<string, string | undefined>>,
  registry: string,
  scope: Scope,
): readonly string[] {
  const root = join(env['BUILDX_CONFIG'] || join(dockerConfigFolder(env), 'buildx'), 'config');
  const host = join(root, registryAddress(registry));
  const path = /^repository:(.+)$/.exec(scope.resource)?.[1];
  return [...(path === undefined ? [] : fitting(join(host, path), scope)), ...fitting(host, scope)];
}

/** This folder and those beside it with actions after its name, as far as the scope has them. */
function fitting(folder: string, { actions }: Scope): readonly string[] {
  const own = basename(folder);
  return listOptionalFolder(dirname(folder))
    .filter((name) => name === own || name.startsWith(`${own}@`))
    .map((name) => ({ name, needed: actionsOf(name) }))
    .filter(({ needed }) => needed.every((action) => actions.includes(action)))
    .sort((a, b) => b.needed.length - a.needed.length || (a.name < b.name ? -1 : 1))
    .map(({ name }) => join(dirname(folder), name));
}

/** `app@pull,push` → pull, push. */
function actionsOf(name: string): readonly string[] {
  const [, listed = ''] = name.split('@');
  return [...new Set(listed.split(',').map((action) => action.trim()))].filter((action) => action !== '');
}
