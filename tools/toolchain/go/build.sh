#!/usr/bin/env bash
# build.sh [PREFIX]: builds what Debian does not have, from Go modules pinned beside it, go.sum being the integrity check:
# actionlint, act, BuildKit with its frontend and a static runc, Trivy, and mkdb, which makes small databases for it. About 12
# minutes once on 2 cores, seconds while Go's own cache is warm; a program whose pin did not change is not built again. Needs bootstrap.sh first (for libseccomp).
# Exit codes: 0 built, 1 failed, 3 not possible here: no Go 1.26 or gcc, and the tests that need these programs are skipped.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLCHAIN_PREFIX=${1:-${TOOLCHAIN_PREFIX:-}}
. "$HERE/../env.sh"
PREFIX=$TOOLCHAIN_PREFIX
check_path "$PREFIX" "the toolchain's folder"
BIN=$PREFIX/usr/bin

command -v go >/dev/null || cannot "no Go here: install Go 1.26 or newer for act, actionlint, BuildKit and Trivy"
command -v gcc >/dev/null || cannot "no C compiler here: install gcc and libc6-dev for the runc of BuildKit"
export HOME=${HOME:-$(unset HOME; echo ~)} # Go keeps its caches there
export GOTOOLCHAIN=local GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false' CGO_ENABLED=0
version=$(go env GOVERSION)
[ "$(printf '%s\n' go1.26 "${version%% *}" | sort -V | head -n 1)" = go1.26 ] || cannot "Go is $version: 1.26 or newer is needed"
[ -f "$PREFIX/usr/lib/x86_64-linux-gnu/libseccomp.a" ] || fail "run tools/toolchain/bootstrap.sh first: $PREFIX is not filled"

mkdir -p "$BIN"
exec 9>"$PREFIX/.go.lock"
flock -n 9 || { say "another build is at work; waiting for it"; flock 9; }
rm -rf "$PREFIX"/.build.*
STAGE=$(mktemp -d "$PREFIX/.build.XXXXXX")
trap 'rm -rf "$STAGE"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# have "PROGRAM..."
have() { local program; for program in $1; do [ -x "$BIN/$program" ] || return 1; done; }

# build MODULE "PROGRAM..." PACKAGES [go build's flags...]: renames the finished programs into place, then notes the pin.
build() {
  local module=$1 programs=$2 packages=$3 pin program out
  shift 3
  pin=$({ cat "$HERE/$module"/go.{mod,sum} && { [ ! -f "$HERE/$module/main.go" ] || cat "$HERE/$module/main.go"; }; } | sha256sum)
  if [ "$(cat "$PREFIX/.go-$module" 2>/dev/null)" = "$pin" ] && have "$programs"; then return 0; fi
  say "building $programs"
  mkdir "$STAGE/$module"
  # shellcheck disable=SC2086
  (cd "$HERE/$module" && go build -o "$STAGE/$module/" "$@" $packages)
  for program in $programs; do
    out=$STAGE/$module/${program#buildkit-}
    [ -f "$out" ] || out=$STAGE/$module/$program
    mv -f "$out" "$BIN/$program"
  done
  echo "$pin" >"$PREFIX/.go-$module"
}
# version_of MODULE PATH: the pinned version, to be told to programs that would call themselves "dev".
version_of() { (cd "$HERE/$1" && go list -m -f '{{.Version}}' "$2"); }

build actionlint actionlint github.com/rhysd/actionlint/cmd/actionlint -ldflags '-s -w'
build mkdb mkdb . -ldflags '-s -w'
build act act github.com/nektos/act -ldflags '-s -w'
BUILDKIT=github.com/moby/buildkit
build buildkit "buildkitd buildctl dockerfile-frontend" \
  "$BUILDKIT/cmd/buildkitd $BUILDKIT/cmd/buildctl $BUILDKIT/frontend/dockerfile/cmd/dockerfile-frontend" \
  -ldflags "-s -w -X github.com/moby/buildkit/version.Version=$(version_of buildkit github.com/moby/buildkit)"
# BuildKit's sandbox needs a runc with seccomp, and its image has no C library: static.
# The folders travel in CGO_*: Go's cache looks at those, and not at what pkg-config answers.
printf '#!/bin/sh\ncase "$*" in *--libs*) echo -lseccomp ;; esac\n' >"$STAGE/pkg-config"
chmod +x "$STAGE/pkg-config"
PKG_CONFIG=$STAGE/pkg-config CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$PREFIX/usr/include" \
  CGO_LDFLAGS="-L$PREFIX/usr/lib/x86_64-linux-gnu" build runc buildkit-runc github.com/opencontainers/runc \
  -tags netgo,osusergo,seccomp -ldflags '-s -w -extldflags -static'
GOEXPERIMENT=jsonv2 build trivy trivy github.com/aquasecurity/trivy/cmd/trivy \
  -ldflags "-s -w -X github.com/aquasecurity/trivy/pkg/version/app.ver=$(version_of trivy github.com/aquasecurity/trivy | tr -d v)"
say "programs built from Go modules are in $BIN"
