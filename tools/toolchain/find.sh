#!/usr/bin/env bash
# find.sh: says which container engine this machine can offer, as KEY=VALUE lines; starts and changes nothing.
#   ENGINE=system    docker with a reachable engine, buildx, the containerd image store, linux/amd64 and linux/arm64
#   ENGINE=private   the toolchain that bootstrap.sh unpacked, and the right to start it with up.sh
#   ENGINE=none      neither; COMMAND is what would help
# REASON says why the machine's own engine was not taken. Exit codes: 0 found, 3 none.
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/env.sh"
quick() { timeout 15 "$@" 2>/dev/null </dev/null; }

# why_not_system: prints what is missing; nothing when nothing is.
why_not_system() {
  local platforms platform
  command -v docker >/dev/null || { echo "no docker here"; return; }
  quick docker version --format '{{.Server.Version}}' >/dev/null || { echo "docker is here, but its engine cannot be reached"; return; }
  quick docker buildx version >/dev/null || { echo "docker is here without buildx"; return; }
  quick docker info --format '{{json .DriverStatus}}' | grep -q 'io.containerd.snapshotter' ||
    { echo "docker's containerd image store is off"; return; }
  platforms=$(quick docker buildx inspect default | sed -n 's/^Platforms: *//p')
  for platform in linux/amd64 linux/arm64; do
    case ", $platforms," in *", $platform,"* | *", $platform*,"* | *", $platform ("*) ;; *) echo "docker cannot build $platform here: emulation is not set up"; return ;; esac
  done
}

reason=$(why_not_system)
if [ -z "$reason" ]; then
  echo ENGINE=system
  exit 0
fi
if [ -f "$TOOLCHAIN_PREFIX/.stamp" ] && [ "$(id -u)" = 0 ]; then
  printf '%s\n' ENGINE=private "REASON=$reason"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  reason="$reason, and starting the private toolchain needs root"
else
  reason="$reason, and the private toolchain is not unpacked"
fi
printf '%s\n' ENGINE=none "REASON=$reason" COMMAND=tools/toolchain/bootstrap.sh
exit 3
