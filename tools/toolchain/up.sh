#!/usr/bin/env bash
# up.sh RUN [PART...]: starts the private toolchain in the run directory RUN (made when absent; at most 50 characters).
# Parts, all when none is named:
#   engine    dockerd with the containerd image store, a bridge of its own and arm64 emulation; needs root
#   registry  a plain registry           auth  one with a login (tester, secret)           tls  the same over TLS
# Writes RUN/env (KEY=VALUE lines: PATH, DOCKER_HOST, DOCKER_CONFIG, REGISTRY, AUTH_REGISTRY, TLS_REGISTRY, TLS_CERTIFICATE).
# CONTAINERD_STORE=false gives an engine with Docker's older image store.
# PORT_REGISTRY, PORT_AUTH and PORT_TLS choose ports; else free ones are taken. With OWNER_PID set, the
# run is taken down as soon as that process is gone, however it ended. Several runs live side by side. down.sh RUN ends it.
# Exit codes: 0 up, 1 failed (what had been started is stopped again), 3 not possible here.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/env.sh"
use_run "${1:-}"
shift
[ $# -gt 0 ] || set -- engine registry auth tls
check_path "$TOOLCHAIN_PREFIX" "the toolchain's folder"
[ -f "$TOOLCHAIN_PREFIX/.stamp" ] || cannot "nothing in $TOOLCHAIN_PREFIX yet: run tools/toolchain/bootstrap.sh"
BIN=$TOOLCHAIN_PREFIX/usr/bin SBIN=$TOOLCHAIN_PREFIX/usr/sbin
export PATH=$BIN:$SBIN:$PATH DOCKER_HOST=unix://$RUN/docker.sock DOCKER_CONFIG=$RUN/docker-config
unset BUILDX_BUILDER "${!REGISTRY_@}" # settings of the caller that dockerd's client and docker-registry would obey
wants() { case " $PARTS " in *" $1 "*) ;; *) return 1 ;; esac; }
PARTS=$*
if wants engine; then
  [ "$(id -u)" = 0 ] || cannot "dockerd needs root: run as root, or use a Docker that is installed"
  [ -n "$(ls -A /sys/fs/cgroup 2>/dev/null)" ] || cannot "no cgroups at /sys/fs/cgroup: containers cannot run here"
  command -v flock >/dev/null || cannot "flock is missing: install util-linux"
fi
! wants tls || command -v openssl >/dev/null || cannot "openssl is missing, for the TLS registry: install it"

(umask 077 && mkdir -p "$RUN/pids" "$RUN/docker-config/cli-plugins")
trap 'status=$?; [ "$status" = 0 ] || "$HERE/down.sh" "$RUN" || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# start NAME COMMAND...: in a session of its own, so that Ctrl-C reaches only the terminal's programs; log in RUN/NAME.log.
start() {
  local name=$1
  shift
  "$TOOLCHAIN_BOX" setsid "$@" >"$RUN/$name.log" 2>&1 </dev/null &
  record "$name" $!
}
# await SECONDS NAME COMMAND...: until COMMAND succeeds; fails at once when NAME has died.
await() {
  local tries=$(($1 * 20)) name=$2
  shift 2
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ] || ! alive "$RUN/pids/$name"; then
      tail -n 20 "$RUN/$name.log" >&2
      fail "$name did not start; its last lines are above"
    fi
    sleep 0.05
  done
}

[ -z "${OWNER_PID:-}" ] || alive "$RUN/pids/guard" || start guard bash "$HERE/guard.sh" "$RUN" "$OWNER_PID"

emulate_arm64() {
  local entry
  (
    umask 077 && mkdir -p "$EMULATION_USERS"
    exec 8>"$EMULATION_USERS/.lock"
    flock 8
    [ -e /proc/sys/fs/binfmt_misc/register ] || "$TOOLCHAIN_BOX" mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    if [ ! -e "$EMULATION_ENTRY" ]; then
      # Somebody else's is left alone and used, when containers can use it (F: the kernel keeps the interpreter open).
      for entry in /proc/sys/fs/binfmt_misc/*; do
        if grep -q '^magic 7f454c460201010000000000000000000200b7' "$entry" 2>/dev/null && grep -q '^flags:.*F' "$entry"; then exit 0; fi
      done
      printf '%s' ":${EMULATION_ENTRY##*/}"':M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$BIN/qemu-aarch64:FP" >/proc/sys/fs/binfmt_misc/register
    fi
    echo "$RUN" >"$EMULATION_USERS/${RUN//\//_}"
  )
}

# A bridge of our own: the default one belongs to another dockerd, and one with no bridge at all would delete it.
make_bridge() {
  local number
  [ ! -f "$RUN/bridge" ] || return 0
  for number in $(seq 1 200); do
    "$TOOLCHAIN_BOX" ip route 2>/dev/null | grep -q "10\.213\.$number\." && continue
    "$TOOLCHAIN_BOX" ip link add name "build-once$number" type bridge 2>/dev/null || continue
    echo "build-once$number" >"$RUN/bridge"
    "$TOOLCHAIN_BOX" ip addr add "10.213.$number.1/24" dev "build-once$number"
    "$TOOLCHAIN_BOX" ip link set "build-once$number" up
    return 0
  done
  fail "could not add a network bridge"
}

start_engine() {
  alive "$RUN/pids/dockerd" && return 0
  emulate_arm64
  make_bridge
  ln -sfn "$TOOLCHAIN_PREFIX/usr/libexec/docker/cli-plugins/docker-buildx" "$RUN/docker-config/cli-plugins/docker-buildx"
  [ -f "$RUN/docker-config/config.json" ] || echo '{}' >"$RUN/docker-config/config.json"
  cat >"$RUN/daemon.json" <<JSON
{ "features": {"containerd-snapshotter": ${CONTAINERD_STORE:-true}}, "insecure-registries": ["127.0.0.0/8"], "hosts": ["unix://$RUN/docker.sock"],
  "data-root": "$RUN/docker-data", "exec-root": "$RUN/docker-exec", "pidfile": "$RUN/dockerd.pid", "group": "root",
  "bridge": "$(cat "$RUN/bridge")", "iptables": false, "ip6tables": false, "ip-forward": false, "ip-masq": false }
JSON
  rm -f "$RUN/dockerd.pid"
  start dockerd dockerd --config-file "$RUN/daemon.json"
}

# start_registry NAME PORT EXTRA_YAML
start_registry() {
  alive "$RUN/pids/$1" && return 0
  cat >"$RUN/$1.yml" <<YAML
version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $RUN/$1-data}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http:
  addr: 127.0.0.1:${2:-0}
$3
YAML
  start "$1" docker-registry serve "$RUN/$1.yml"
}
# address NAME: the host and port that a registry really listens on.
address() { sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$RUN/$1.log" | head -n 1 | grep .; }

make_certificate() {
  [ -f "$RUN/tls.crt" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,DNS:$(uname -n),IP:127.0.0.1" -keyout "$RUN/tls.key" -out "$RUN/tls.crt" 2>/dev/null
}

! wants engine || start_engine
LOGIN="auth: {htpasswd: {realm: test, path: $RUN/htpasswd}}"
# shellcheck disable=SC2016 # bcrypt of "secret": a password for tests on loopback
echo 'tester:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a' >"$RUN/htpasswd"
! wants registry || start_registry registry "${PORT_REGISTRY:-}" ''
! wants auth || start_registry auth "${PORT_AUTH:-}" "$LOGIN"
if wants tls; then
  make_certificate
  start_registry tls "${PORT_TLS:-}" "  tls: {certificate: $RUN/tls.crt, key: $RUN/tls.key}
$LOGIN"
fi

for part in registry auth tls; do ! wants $part || await 30 $part address $part; done
! wants engine || await 60 dockerd docker version
{
  echo "PATH=$PATH"
  [ ! -f "$RUN/pids/dockerd" ] || printf '%s\n' "DOCKER_HOST=$DOCKER_HOST" "DOCKER_CONFIG=$DOCKER_CONFIG"
  [ ! -f "$RUN/pids/registry" ] || echo "REGISTRY=$(address registry)"
  [ ! -f "$RUN/pids/auth" ] || echo "AUTH_REGISTRY=$(address auth)"
  # By the machine's name: some clients speak plain http to everything called localhost.
  [ ! -f "$RUN/pids/tls" ] || printf '%s\n' "TLS_REGISTRY=$(uname -n):$(address tls | cut -d: -f2)" "TLS_CERTIFICATE=$RUN/tls.crt"
} >"$RUN/env.new"
mv "$RUN/env.new" "$RUN/env"
