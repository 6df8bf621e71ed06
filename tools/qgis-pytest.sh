#!/usr/bin/env bash
# Runs pytest in QGIS's own Python, without a screen and with a profile that is thrown away.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir -m 700 "$home/runtime"
export HOME=$home XDG_RUNTIME_DIR=$home/runtime XDG_DATA_HOME=$home/data XDG_CONFIG_HOME=$home/config
export QT_QPA_PLATFORM=offscreen
build/venv-qgis/bin/python -m pytest -c tests/qgis/pytest.ini --rootdir . --confcutdir tests "$@"
