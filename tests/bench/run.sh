#!/usr/bin/env bash
# Every measurement that has a peer or a bound, in one run, and the table of them. Called by `make bench`, which
# builds everything and makes the virtual environment of the peers first.
# usage: run.sh BINARIES PYTHON [PROJECT]
# FEAST_PYTHON: the Python of an environment with peers/feast/requirements.txt, to measure beside Feast as well;
# REDIS_SERVER: a redis-server for its online store.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binaries=$1 python=$2 project=${3:-}
command -v wrk >/dev/null || { echo "missing: wrk, the client of the serving measurement (apt-get install wrk)"; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

step "point-in-time join"
"$binaries/examples/point_in_time" 1 "$python" | tee -a "$log"
step "point-in-time join, ten times the size"
"$binaries/examples/point_in_time" 10 "$python" | tee -a "$log"
step "windows"
"$binaries/examples/windows" 10000 "$python" | tee -a "$log"
step "serving"
python3 "$here/serve.py" "$binaries" $project | tee -a "$log"
step "many rows at once"
"$binaries/examples/batch_score" "$python" | tee -a "$log"
step "a score over ever more views"
python3 "$here/views.py" "$binaries" | tee -a "$log"
step "recommendations"
python3 "$here/recommend.py" "$binaries" | tee -a "$log"
step "four times what it can answer, and clients that dawdle"
python3 "$here/overload.py" "$binaries/scorehouse"
if [ -n "${FEAST_PYTHON:-}" ]; then
  step "features over HTTP, beside Feast"
  python3 "$here/features.py" "$binaries" "$FEAST_PYTHON" ${REDIS_SERVER:-} | tee -a "$log"
fi
step "window kernel, online store, durable log"
for example in window_kernel online_read online_log; do "$binaries/examples/$example" | tee -a "$log"; done

printf '\n%s, %s cores, %s\n\n' "$(uname -sr)" "$(nproc)" "$(date -u +%F)"
(printf 'what\tScorehouse\tpeer or bound\twhich\tratio\n'; sed -n 's/^figure:\t//p' "$log") | column -t -s "$(printf '\t')"
