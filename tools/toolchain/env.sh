# shellcheck shell=bash
# Sourced by the scripts beside it: where the private toolchain is, how a run directory may be named, how to give up.
# TOOLCHAIN_PREFIX overrides the cache folder that the programs are in.

# The home directory of the account when HOME is empty, as in some CI systems.
TOOLCHAIN_PREFIX=${TOOLCHAIN_PREFIX:-${XDG_CACHE_HOME:-${HOME:-$(unset HOME; echo ~)}/.cache}/build-once-toolchain}
TOOLCHAIN_BOX=$TOOLCHAIN_PREFIX/busybox-amd64/busybox

say() { echo "toolchain: $*" >&2; }
# fail MESSAGE...: it was possible and did not work.
fail() { say "$@"; exit 1; }
# cannot MESSAGE...: this machine cannot do it; the message says what to install or to change.
cannot() { say "$@"; exit 3; }

# Paths go into YAML, JSON and environment files unquoted: refuse what would need quoting.
check_path() {
  [[ $1 =~ ^/[A-Za-z0-9._/+-]+$ && $1 != *..* ]] || fail "$2 must be an absolute path of letters, digits and . _ + - /: $1"
}

# use_run RUN: sets RUN and checks it. containerd puts sockets up to 50 bytes below it, and a socket's path ends at 108.
use_run() {
  RUN=${1:-}
  [ -n "$RUN" ] || fail "usage: $(basename "$0") RUN_DIRECTORY …"
  RUN=${RUN%/}
  check_path "$RUN" "the run directory"
  [ ${#RUN} -le 50 ] || fail "the run directory's path is longer than 50 characters: $RUN"
}

# started_at PID: when the process started, in clock ticks; with the pid it names one process for good.
started_at() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) } # the name may hold spaces and parentheses
  # shellcheck disable=SC2086
  set -- $stat
  [ "$1" != Z ] && echo "${20}"
}

# alive FILE: true while the process recorded in "PID STARTED" still runs; a recycled pid is another process.
alive() {
  local pid started
  [ -f "$1" ] && read -r pid started <"$1" && [ -n "$started" ] && [ "$(started_at "$pid")" = "$started" ]
}

# record NAME PID
record() {
  mkdir -p "$RUN/pids"
  echo "$2 $(started_at "$2")" >"$RUN/pids/$1"
}

# Emulation of arm64 is one setting of the whole machine: the runs that use ours are listed here, the last one removes it.
EMULATION_USERS=/run/build-once-emulation
EMULATION_ENTRY=/proc/sys/fs/binfmt_misc/build-once-aarch64
