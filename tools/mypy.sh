#!/usr/bin/env bash
# Type checks the package under its own name, whatever this folder is called, then the tests, folder by folder.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/mypy
ln -sfn "$PWD" build/mypy/rasterlasso
MYPYPATH=build/mypy build/venv-engine/bin/mypy -p rasterlasso.contract -p rasterlasso.engine -p rasterlasso.models -p rasterlasso.plugin -p rasterlasso.benchmarks -p rasterlasso.demo
for folder in tests/engine tests/engine/training tests/engine/extras tests/faults tests/qgis tests/qt6 tests/desktop; do
    MYPYPATH=build/mypy:$folder build/venv-engine/bin/mypy --config-file tools/mypy-tests.ini "$folder"/*.py
done
