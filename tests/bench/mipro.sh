#!/usr/bin/env bash
# Sets up DSPy and llama-server, then runs mipro_bench beside them: some ten minutes a seed.
#
# usage: tests/bench/mipro.sh [--json FILE] [--folder FOLDER] [--seeds 1,2,3] [sizes, see mipro_bench.cpp]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export THETA_CACHE=${THETA_CACHE:-$HOME/.cache/theta}
scripts/setup hutto smollm2-135m qwen-0.5b
server=$(scripts/build_llama server)/bin/llama-server
dspy=$(tests/bench/setup_dspy)
build/release/bin/mipro_bench --dspy "$dspy,$PWD/tests/bench/mipro_dspy.py" \
  --llama-server "$server" "$@"
