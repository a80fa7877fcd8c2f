#!/usr/bin/env bash
# Sets up the peers of http_bench (wrk from Debian, DSPy from PyPI), starts the two servers and runs it.
#
# usage: tests/bench/http.sh [--dspy-rs] [--json FILE]
#
# --dspy-rs builds that peer too, with cargo: some ten minutes, once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$here/../../build/release/bin

if ! command -v wrk >/dev/null; then
  root=$([ "$(id -u)" = 0 ] || echo sudo)
  $root apt-get -qq update
  $root apt-get -qq install --no-install-recommends wrk >/dev/null
fi
dspy=$("$here/setup_dspy")
if [ "${1:-}" = --dspy-rs ]; then
  shift
  built=${THETA_CACHE:-$HOME/.cache/theta}/bench/dspy-rs
  mkdir -p "$built"
  cp "$here/http_dspy_rs/"* "$built"  # cargo writes beside them
  (cd "$built" && cargo build --quiet --release)
  set -- --dspy-rs "$built/target/release/http_dspy_rs" "$@"
fi

ports=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -r "$ports"' EXIT
"$bin/mock_server" 0 >"$ports/fast" &
fast=$!
"$bin/mock_server" 50 >"$ports/slow" &
slow=$!
while [ ! -s "$ports/fast" ] || [ ! -s "$ports/slow" ]; do
  kill -0 "$fast"
  kill -0 "$slow"
  sleep 0.05
done
"$bin/http_bench" --fast "http://127.0.0.1:$(cat "$ports/fast")/v1" --slow "http://127.0.0.1:$(cat "$ports/slow")/v1" \
  --wrk "$here/http_wrk.lua" --dspy "$dspy,$here/http_dspy.py" "$@"
