#!/usr/bin/env bash
# usage: serve.sh FOLDER SERVER CEILING
# FOLDER: made by the serve_project example. SERVER, CEILING: base addresses of a `scorehouse serve` of that folder
# and of a bare server that only parses the same numbers and answers at /infer. Asks both in turn, three times.
set -eu
folder=$1 server=$2 ceiling=$3
here=$(dirname "$0")

ask() { # name body url
  BODY="$folder/$2" wrk -t1 -c16 -d6s --latency -s "$here/post.lua" "$3" |
    awk -v name="$1" '/50%/ {p50=$2} /99%/ {p99=$2} /Requests\/sec/ {rps=$2} /Non-2xx/ {bad=$0}
      END {printf "%-22s %10.0f requests/s   p50 %8s   p99 %8s %s\n", name, rps, p50, p99, bad}'
}

for _ in 1 2 3; do
  ask "ceiling, 1 row" ceiling_1.json "$ceiling/infer"
  ask "score, 1 row" score_1.json "$server/v1/models/load/score"
  ask "score, top 5 reasons" reasons_1.json "$server/v1/models/load/score"
  ask "ceiling, 100 rows" ceiling_100.json "$ceiling/infer"
  ask "score, 100 rows" score_100.json "$server/v1/models/load/score"
done
