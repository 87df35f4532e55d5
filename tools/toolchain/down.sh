#!/usr/bin/env bash
# down.sh RUN [wipe]: stops what up.sh started in RUN, and nothing else; "wipe" also deletes RUN. May be called again.
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/env.sh"
use_run "${1:-}"
[ -d "$RUN/pids" ] || exit 0

# stop NAME SECONDS: ends the recorded process, by force when it takes longer.
stop() {
  local file=$RUN/pids/$1 tries=$(($2 * 20)) pid
  alive "$file" && read -r pid _ <"$file" && kill "$pid" 2>/dev/null
  while [ "$tries" -gt 0 ] && alive "$file"; do
    sleep 0.05
    tries=$((tries - 1))
  done
  alive "$file" && kill -9 "$pid" 2>/dev/null
  rm -f "$file"
}
# ours PID: containerd and its shims by the path of this run in their arguments, containers by what is mounted as their root.
ours() {
  tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$RUN/docker-exec/" && return 0
  awk -v run="$RUN/" '$5 == "/" && index($0, run) { found = 1 } END { exit !found }' "/proc/$1/mountinfo" 2>/dev/null
}

stop guard 5
for name in registry auth tls buildkit-proxy; do stop "$name" 5; done
had_engine=
[ ! -f "$RUN/pids/dockerd" ] || had_engine=1
stop dockerd 30
if [ -n "$had_engine" ] || [ -d "$RUN/docker-exec" ]; then
  # What a dockerd leaves that was killed: normally nothing.
  for process in /proc/[0-9]*; do
    ! ours "${process#/proc/}" || kill -9 "${process#/proc/}" 2>/dev/null
  done
  awk -v run="$RUN/" 'index($2, run) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    "$TOOLCHAIN_BOX" umount "$mount" 2>/dev/null || "$TOOLCHAIN_BOX" umount -l "$mount"
  done
fi
if [ -f "$RUN/bridge" ]; then
  "$TOOLCHAIN_BOX" ip link del "$(cat "$RUN/bridge")" 2>/dev/null
  rm -f "$RUN/bridge"
fi
if [ -f "$EMULATION_USERS/${RUN//\//_}" ]; then
  (
    exec 8>"$EMULATION_USERS/.lock"
    flock 8
    rm -f "$EMULATION_USERS/${RUN//\//_}"
    for user in "$EMULATION_USERS"/*; do # a run whose directory is gone uses nothing any more
      [ ! -f "$user" ] || [ -d "$(cat "$user")" ] || rm -f "$user"
    done
    if [ -z "$(ls "$EMULATION_USERS")" ] && [ -e "$EMULATION_ENTRY" ]; then echo -1 >"$EMULATION_ENTRY"; fi
  )
fi
[ "${2:-}" != wipe ] || rm -rf "$RUN"
