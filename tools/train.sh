#!/usr/bin/env bash
# Begins to train the built-in model, or goes on: train.sh [DATA_FOLDER...]. Lowest priority, Ctrl+C or SIGTERM stops it.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh training
[ $# -gt 0 ] || set -- ../shared/data/train ../shared/data/train_wide
export OMP_WAIT_POLICY=PASSIVE
exec build/venv-engine/bin/python -m rasterlasso.models.builtin.training run "$@"
