#!/usr/bin/env bash
# bootstrap.sh [PREFIX]: puts a private container toolchain under PREFIX: dockerd, containerd, runc, docker, buildx, a
# registry, crane, cosign, emulators of arm64 and riscv64, and static busyboxes, unpacked from Debian packages. Alters no system package;
# takes the mirror that the system's apt already uses. About 25–55 s once, then nothing.
# Exit codes: 0 ready, 1 failed, 3 not possible on this machine (the message says what to install).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLCHAIN_PREFIX=${1:-${TOOLCHAIN_PREFIX:-}}
. "$HERE/env.sh"
RECIPE=2 # raise it when the list of packages or the layout changes: older prefixes get what they lack
PREFIX=$TOOLCHAIN_PREFIX
check_path "$PREFIX" "the toolchain's folder"

ready() { [ -f "$PREFIX/.stamp" ] && [ "$(head -n 1 "$PREFIX/.stamp")" = "recipe $RECIPE" ]; }
ready && { say "ready in $PREFIX"; exit 0; }

docker_hint="install Docker with buildx instead, with the containerd image store and arm64 emulation"
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || cannot "the private toolchain is for Linux on x86_64: $docker_hint"
ID='' VERSION_CODENAME=''
[ -f /etc/os-release ] && . /etc/os-release
[ "$ID" = debian ] || cannot "the private toolchain comes from Debian packages, and this is ${ID:-no Debian}: $docker_hint"
missing=
for program in apt-get dpkg-deb flock tar awk sha256sum; do command -v "$program" >/dev/null || missing="$missing $program"; done
[ -z "$missing" ] || cannot "missing here:$missing (Debian packages apt, dpkg, util-linux, tar, mawk, coreutils)"

mkdir -p "$PREFIX"
exec 9>"$PREFIX/.lock"
flock -n 9 || { say "another bootstrap is at work; waiting for it"; flock 9; }
ready && { say "ready in $PREFIX"; exit 0; }

# Everything is made in a staging folder and renamed into place file by file, the stamp last: a run that was killed half-way
# leaves no half file, and running programs keep theirs.
rm -rf "$PREFIX"/.staging.*
STAGE=$(mktemp -d "$PREFIX/.staging.XXXXXX")
trap 'rm -rf "$STAGE"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
ROOT=$STAGE/root
mkdir -p "$ROOT"
: >"$STAGE/resolved"

HOST=${VERSION_CODENAME:-sid}
MIRROR=$(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
  awk -F'|' -v host="$HOST" '$3 == "main" && $2 == host { print $1; exit } $3 == "main" && $2 !~ /-/ && !other { other = $1 } END { if (other) print other }' | head -n 1)
[ -n "$MIRROR" ] || cannot "apt has no Debian source for $HOST: add one to its sources"
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
SIGNED_BY=
[ ! -f "$KEYRING" ] || SIGNED_BY="signed-by=$KEYRING"

# use_suite SUITE: an apt of its own for one suite, with nothing of the system's state.
use_suite() {
  local dir=$STAGE/$1
  export APT_CONFIG=$dir/apt.conf
  [ ! -f "$dir/ready" ] || return 0
  mkdir -p "$dir"/lists/partial "$dir"/cache/archives/partial "$dir"/debs
  : >"$dir/status"
  echo "deb [arch=amd64,arm64,riscv64 $SIGNED_BY] $MIRROR $1 main" >"$dir/sources.list"
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list"; Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$dir/lists"; Dir::State::status "$dir/status"; Dir::Cache "$dir/cache";
APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; "riscv64"; };
APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::Retries "3";
CONF
  apt-get -qq update && touch "$dir/ready"
}

# kept PACKAGE FILES: true when an older recipe has put them there; what may be running is not replaced.
kept() {
  local file
  for file in $2; do [ -f "$PREFIX/$file" ] || return 1; done
  grep "^$1 " "$PREFIX/.stamp" 2>/dev/null >>"$STAGE/resolved"
}

# get PACKAGE FILES PROBE SUITE...: unpacks FILES of PACKAGE from the first suite whose program starts on this machine.
get() {
  local package=$1 files=$2 probe=$3 suite deb file
  shift 3
  ! kept "$package" "$files" || return 0
  for suite in "$@"; do
    use_suite "$suite" || continue
    rm -f "$STAGE/$suite/debs"/*.deb
    (cd "$STAGE/$suite/debs" && apt-get -qq download "$package") || continue
    deb=$(echo "$STAGE/$suite/debs"/*.deb)
    for file in $files; do
      dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$ROOT" "./$file" || continue 2
    done
    if (cd "$ROOT" && eval "$probe") >/dev/null 2>&1; then
      echo "$package $(dpkg-deb -f "$deb" Version) $suite $(sha256sum "$deb" | cut -d' ' -f1)" >>"$STAGE/resolved"
      return 0
    fi
  done
  fail "no usable $package in the suites $*"
}

say "unpacking Debian packages into $PREFIX (once; about half a minute)"
# Newest first; a program that needs a newer C library than this machine has falls back to the next suite.
get docker.io "usr/sbin/dockerd usr/sbin/docker-proxy" "usr/sbin/dockerd --version" sid trixie "$HOST"
get docker-cli usr/bin/docker "usr/bin/docker --version" sid trixie
BUILDX=usr/libexec/docker/cli-plugins/docker-buildx
get docker-buildx "$BUILDX" "$BUILDX version" sid trixie
get containerd "usr/bin/containerd usr/bin/containerd-shim-runc-v2" "usr/bin/containerd --version" sid trixie "$HOST"
get runc usr/sbin/runc "usr/sbin/runc --version" "$HOST" sid trixie
get docker-registry usr/bin/docker-registry "usr/bin/docker-registry --version" sid trixie "$HOST"
get crane usr/bin/crane "usr/bin/crane version || usr/bin/crane --help" sid
get cosign usr/bin/cosign "usr/bin/cosign version" sid trixie
get qemu-user "usr/bin/qemu-aarch64 usr/bin/qemu-riscv64" "usr/bin/qemu-aarch64 --version && usr/bin/qemu-riscv64 --version" sid trixie
get tini-static usr/bin/tini-static "mv usr/bin/tini-static usr/bin/docker-init && usr/bin/docker-init --version" sid trixie
SECCOMP=usr/lib/x86_64-linux-gnu/libseccomp.a # with its headers, for the runc that go/build.sh links statically
get libseccomp-dev "usr/include/seccomp.h usr/include/seccomp-syscalls.h $SECCOMP" "test -s $SECCOMP" "$HOST"
for arch in amd64 arm64 riscv64; do
  get "busybox-static:$arch" usr/bin/busybox "mkdir -p busybox-$arch && mv usr/bin/busybox busybox-$arch/busybox" sid trixie
done

(cd "$ROOT" && find . -type d) | while read -r dir; do mkdir -p "$PREFIX/$dir"; done
(cd "$ROOT" && find . -type f) | while read -r file; do
  cmp -s "$ROOT/$file" "$PREFIX/$file" || mv -f "$ROOT/$file" "$PREFIX/$file"
done
{ echo "recipe $RECIPE"; cat "$STAGE/resolved"; } >"$STAGE/stamp"
mv -f "$STAGE/stamp" "$PREFIX/.stamp"

# Debian's unstable suite keeps no old versions, so a pin could not be kept either: apt's signatures are the integrity
# check, and what differs from the versions that the project was last tested with is said.
if [ -f "$HERE/versions.lock" ]; then
  while read -r package version suite sha256; do
    case $package in '' | '#'*) continue ;; esac
    if ! grep -qxF "$package $version $suite $sha256" "$STAGE/resolved"; then
      say "WARNING: $package is $(awk -v p="$package" '$1 == p { print $2 " of " $3 }' "$STAGE/resolved"); versions.lock has $version of $suite"
    fi
  done <"$HERE/versions.lock"
fi
say "ready in $PREFIX"
