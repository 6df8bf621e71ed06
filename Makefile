# make demo     the main job on real imagery in the real QGIS; IMAGE=… AT=x,y for a raster of your own
# make test     all tests: engine, extra libraries, QGIS, desktop   (test-engine, test-extras, test-qgis, test-desktop: one lane)
# make pictures the documentation's pictures of the panel, made anew in the real QGIS
# make check    linters, types, and the plugin repository's scan of the zip
# make train    trains the built-in model at the lowest priority, or goes on (train-status, train-curves, train-samples)
# make gpu      what an NVIDIA card gives, and training on it for some minutes (gpu-pack first, where training data are)
# make graduate puts trained weights in the place of the shipped ones, if they are better
# make package  dist/rasterlasso-VERSION.zip
# Each installs what it needs first.
SHELL := /bin/bash
VERSION := $(shell sed -n 's/^version=//p' metadata.txt)
PACKAGE := dist/rasterlasso-$(VERSION).zip
ENGINE := build/venv-engine/bin
AT ?=
DATA ?= ../shared/data/train ../shared/data/train_wide
SCENES ?= ../shared/data/scenes
# Each process of the tests keeps to a core.
PARALLEL := -n auto --maxprocesses 4
TRAINING := $(ENGINE)/python -m rasterlasso.models.builtin.training

.PHONY: demo pictures test test-engine test-extras test-qgis test-desktop check package clean
.PHONY: gpu gpu-pack train train-status train-curves train-samples graduate

demo: package
	@tools/setup.sh desktop $(if $(IMAGE),,sample)
	@$(ENGINE)/python -m demo $(PACKAGE) $(if $(IMAGE),--image "$(IMAGE)" --at=$(AT))

pictures: package
	@tools/setup.sh tests sample
	@$(ENGINE)/python -m demo.pictures $(PACKAGE)

test: test-engine test-extras test-qgis test-desktop

test-engine:
	@tools/setup.sh tests sample
	OMP_NUM_THREADS=1 $(ENGINE)/python -m pytest $(PARALLEL) tests/engine tests/faults

test-extras:
	@tools/setup.sh tests extras
	OMP_NUM_THREADS=1 build/venv-extras/bin/python -m pytest $(PARALLEL) tests/engine/extras tests/qt6

test-qgis:
	@tools/setup.sh tests sample
	@OMP_NUM_THREADS=1 tools/qgis-pytest.sh $(PARALLEL) tests/qgis

test-desktop: package
	@tools/setup.sh tests sample
	RASTERLASSO_PACKAGE=$(PACKAGE) $(ENGINE)/python -m pytest tests/desktop

check:
	@tools/setup.sh check tests
	$(ENGINE)/ruff check .
	$(ENGINE)/ruff format --check .
	@tools/mypy.sh
	@$(MAKE) --no-print-directory package >/dev/null
	@tools/scan.sh $(PACKAGE)

train:
	@tools/train.sh $(DATA)

train-status:
	@tools/setup.sh training
	@$(TRAINING) status

train-curves:
	@tools/setup.sh training
	@$(TRAINING) curves --out build/training.png

train-samples:
	@tools/setup.sh training
	@$(TRAINING) samples $(DATA) --out build/samples.png

graduate:
	@tools/setup.sh training
	$(ENGINE)/python -m rasterlasso.benchmarks.graduation $(SCENES)

gpu-pack:
	@tools/gpu.sh pack

gpu:
	@tools/gpu.sh

package:
	@mkdir -p dist
	@git archive --format=zip --prefix=rasterlasso/ -o $(PACKAGE) "$$(git stash create 2>/dev/null | grep . || echo HEAD)"
	@echo "$(PACKAGE)"

clean:
	rm -rf build dist *.egg-info
