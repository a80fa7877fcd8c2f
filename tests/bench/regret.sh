#!/usr/bin/env bash
# Searches the simulated problems with Optuna's TPE, then runs regret_bench beside it.
#
# usage: tests/bench/regret.sh [--json FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$(tests/bench/setup_dspy)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tables"
build/release/bin/regret_bench --export "$scratch/tables" >/dev/null
"$python" tests/bench/regret_optuna.py "$scratch/tables" "$scratch/optuna.json"
build/release/bin/regret_bench --optuna "$scratch/optuna.json" \
  --further 300 --families 40 --texts 60 "$@"
