#!/usr/bin/env bash
# What an NVIDIA card gives, and training on it: gpu.sh [OPTIONS of benchmarks/gpu.py]. Needs torch, transformers and OpenCV alone:
# without the engine's environment it takes the python3 that is there. `gpu.sh pack` puts what training needs into build/gpu.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = pack ]; then
  tools/setup.sh training
  exec build/venv-engine/bin/python -m rasterlasso.models.builtin.training pack --out build/gpu
fi
python=python3
[ -x build/venv-engine/bin/python ] && python=build/venv-engine/bin/python
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
ln -s "$PWD" "$site/rasterlasso"
[ -e build/gpu/scenes.zip ] && set -- --scenes build/gpu/scenes.zip "$@"
PYTHONPATH=$site "$python" -m rasterlasso.benchmarks.gpu --out "${OUT:-build/gpu-results}" "$@"
