import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Stand-ins for apt-get and dpkg-deb whose packages hold the files that bootstrap.sh asks for, as scripts that do nothing;
 * for its rules, without a download. With SLOW_PACKAGE set, that package's download takes a minute. Answers the folder.
 */
export function makeStubDebian(folder: string): string {
  const bin = join(folder, 'bin');
  const packages = join(folder, 'package');
  const files = [
    'usr/sbin/dockerd usr/sbin/docker-proxy usr/sbin/runc usr/bin/docker usr/libexec/docker/cli-plugins/docker-buildx',
    'usr/bin/containerd usr/bin/containerd-shim-runc-v2 usr/bin/docker-registry usr/bin/crane usr/bin/cosign',
    'usr/bin/qemu-aarch64 usr/bin/qemu-riscv64 usr/bin/tini-static usr/bin/busybox',
    'usr/include/seccomp.h usr/include/seccomp-syscalls.h usr/lib/x86_64-linux-gnu/libseccomp.a',
  ].join(' ');
  for (const file of files.split(' ')) script(join(packages, file), 'exit 0');
  script(
    join(bin, 'apt-get'),
    `echo "apt-get $*" >>'${folder}/calls'
case "$*" in
indextargets*) echo "$STUB_MIRROR" ;;
*download*) package=$(echo "\${*##* }" | tr : _)
  [ "\${SLOW_PACKAGE:-}" != "$package" ] || sleep 60
  echo "$package" >"$package.deb" ;;
esac`,
  );
  script(join(bin, 'dpkg-deb'), `case "$1" in --fsys-tarfile) tar -C '${packages}' -c . ;; *) echo 1.0 ;; esac`);
  return bin;
}

function script(file: string, body: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}
