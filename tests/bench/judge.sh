#!/usr/bin/env bash
# Builds llama-server from the source of the embedded engine, then runs judge_bench beside it.
#
# usage: tests/bench/judge.sh [--json FILE] [--judgements 300]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts/setup smollm2-135m
server=$(scripts/build_llama server)/bin/llama-server
build/release/bin/judge_bench --llama-server "$server" "$@"
