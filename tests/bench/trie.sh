#!/usr/bin/env bash
# Runs the two published experiments with SmolLM2-135M in every role, in both modes, and compares the prompt tokens
# that were computed with the fewest that could be, and with llama-server's. Half the test items are asked: more of
# them would be more of the same. mipro_bench does it for the run that it measures.
#
# usage: tests/bench/trie.sh [--json FILE] [--only sentiment|quickstart]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export THETA_CACHE=${THETA_CACHE:-$HOME/.cache/theta}
scripts/setup hutto smollm2-135m
server=$(scripts/build_llama server)/bin/llama-server
names=(sentiment quickstart)
rest=()
while [ $# -gt 0 ]; do
  case $1 in
    --only) names=("$2"); shift 2 ;;
    *) rest+=("$1"); shift ;;
  esac
done
model=$THETA_CACHE/models/smollm2-135m-instruct-q4_1.gguf
cells=4096
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
for name in "${names[@]}"; do
  for mode in deterministic throughput; do
    case $name in
      sentiment) sets=(--set "models.task.mode=$mode" --set models.proposer=task --set data.sentiment.test=100) ;;
      # The student's larger cache makes it another model, as it is in the real run.
      quickstart)
        sets=(--set "models.teacher={path: '$model', context: $cells, mode: $mode}"
          --set "models.student={path: '$model', context: $((cells + 256)), mode: $mode}"
          --set data.tastes.test=6)
        ;;
    esac
    echo "running $name in $mode mode"
    build/release/bin/theta run "configs/$name.yaml" --out "$runs/$name-$mode" "${sets[@]}" >/dev/null
  done
done
build/release/bin/trie_bench --llama-server "$server" --cells $cells --runs "$runs" "${rest[@]}"
