#!/usr/bin/env bash
# guard.sh RUN PID: takes the run down and wipes it as soon as the process PID is gone. Started by up.sh with OWNER_PID.
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/env.sh"
use_run "${1:-}"
owner=$2
started=$(started_at "$owner")
while [ -n "$started" ] && [ "$(started_at "$owner")" = "$started" ]; do sleep 1; done
rm -f "$RUN/pids/guard" # down.sh is not to stop this very process
exec bash "$HERE/down.sh" "$RUN" wipe
