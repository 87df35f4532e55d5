#!/usr/bin/env bash
# seed.sh RUN: fills what up.sh started: base/busybox:1.38 and vuln/app:1, which has known vulnerabilities, for amd64 and arm64
# into the plain registry, and the image that
# `docker buildx create` starts (moby/buildkit:buildx-stable-1) into the engine: real BuildKit where go/build.sh built it,
# else a shim that leads to the engine's own. Nothing is pulled. Writes KEY=VALUE lines to RUN/seed: BASE_IMAGE,
# VULNERABLE_IMAGE, BUILDKIT
# (real or shim). With an engine of the machine's own, set DOCKER_HOST and REGISTRY; then the builder's image is left alone.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/env.sh"
use_run "${1:-}"
while IFS='=' read -r key value; do export "$key=$value"; done <"$RUN/env"
WORK=$(mktemp -d "$RUN/seed.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
BASE=$REGISTRY/base/busybox:1.38
IMAGE=moby/buildkit:buildx-stable-1

build() { docker buildx build --builder default --provenance=false --sbom=false --quiet "$@" >/dev/null; }

mkdir "$WORK/base"
cp -r "$TOOLCHAIN_PREFIX"/busybox-a* "$HERE/base/Dockerfile" "$WORK/base/"
build --push --platform linux/amd64,linux/arm64 --tag "$BASE" "$WORK/base"
echo "BASE_IMAGE=$BASE" >"$WORK/seed"
VULNERABLE=$REGISTRY/vuln/app:1
build --push --platform linux/amd64,linux/arm64 --build-arg "BASE=$BASE" --tag "$VULNERABLE" "$HERE/vulnapp"
echo "VULNERABLE_IMAGE=$VULNERABLE" >>"$WORK/seed"

BIN=$TOOLCHAIN_PREFIX/usr/bin
if [ ! -f "$RUN/pids/dockerd" ]; then
  : # not our engine
elif [ -x "$BIN/buildkitd" ] && [ -x "$BIN/buildctl" ] && [ -x "$BIN/buildkit-runc" ]; then
  mkdir "$WORK/buildkit"
  cp "$BIN"/{buildkitd,buildctl,buildkit-runc} "$WORK/buildkit/"
  printf 'FROM %s\nCOPY buildkitd buildctl buildkit-runc /usr/bin/\nVOLUME /var/lib/buildkit\nENTRYPOINT ["buildkitd"]\n' "$BASE" >"$WORK/buildkit/Dockerfile"
  build --load --tag "$IMAGE" "$WORK/buildkit"
  echo BUILDKIT=real >>"$WORK/seed"
elif command -v node >/dev/null && node -e 'process.exit(process.features.typescript ? 0 : 1)'; then
  if ! alive "$RUN/pids/buildkit-proxy"; then
    "$TOOLCHAIN_BOX" setsid node "$HERE/buildkit-proxy.ts" "$RUN/docker.sock" "$RUN/buildkit-proxy.port" >"$RUN/buildkit-proxy.log" 2>&1 </dev/null &
    record buildkit-proxy $!
    for _ in $(seq 1 200); do [ ! -f "$RUN/buildkit-proxy.port" ] || break; sleep 0.05; done
  fi
  build --load --build-arg "BASE=$BASE" --build-arg "PROXY_PORT=$(cat "$RUN/buildkit-proxy.port")" --tag "$IMAGE" "$HERE/shim"
  echo BUILDKIT=shim >>"$WORK/seed"
else
  say "no BuildKit was built and there is no Node 22.18: the docker-container driver will not start"
fi
mv "$WORK/seed" "$RUN/seed"
