#!/usr/bin/env bash
# What the plugin repository scans a zip for, with Bandit and detect-secrets: scan.sh ZIP. Fails where either finds something.
set -euo pipefail
bin=$(cd "$(dirname "$0")/.." && pwd)/build/venv-engine/bin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$bin/python" -m zipfile -e "$1" "$folder"
cd "$folder"
"$bin/bandit" -q -r rasterlasso
"$bin/detect-secrets" scan --all-files rasterlasso >found.json
"$bin/python" - <<'PY'
import json
import sys

found = json.load(open("found.json"))["results"]
for file, entries in found.items():
    for entry in entries:
        print(f"{file}:{entry['line_number']}: {entry['type']}")
sys.exit(bool(found))
PY
echo "Bandit and detect-secrets find nothing in $1"
