#!/usr/bin/env bash
# Searches the simulated problems with Optuna's TPE, then runs regret_bench beside it.
#
# usage: tests/bench/regret.sh [--json FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers=${THETA_CACHE:-$HOME/.cache/theta}/bench/optuna
if [ ! -e "$peers/done" ]; then
  python3 -m venv "$peers"
  "$peers/bin/pip" install --quiet optuna==5.0.0
  touch "$peers/done"
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tables"
build/release/bin/regret_bench --export "$scratch/tables" >/dev/null
"$peers/bin/python" tests/bench/regret_optuna.py "$scratch/tables" "$scratch/optuna.json"
build/release/bin/regret_bench --optuna "$scratch/optuna.json" \
  --families 24 --texts 60 "$@"
