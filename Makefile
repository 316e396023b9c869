# `make` alone lists what there is. Every target sets itself up first: .venv with the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable

.DEFAULT_GOAL := help
.PHONY: help compare evidence serve test drills image-test test-tensorflow lint check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

compare: .venv/stamp-compare ## train both nets on the songs in here, score them, write the report
	$(BIN)/demix compare

evidence: .venv/stamp-compare ## the whole protocol: seeds, controls, probes, an hour on two cores
	$(BIN)/demix compare --protocol configs/protocol-tiny.toml

serve: .venv/stamp-serve ## serve a page to listen with, and an API, at http://localhost:8000
	$(BIN)/demix serve

test: .venv/stamp-dev ## run the whole test suite
	$(BIN)/python -m pytest

drills: .venv/stamp-dev ## load and kill the server and its workers, and see that no song is lost
	$(BIN)/python -m pytest tests/drills

# As root, on Debian or Ubuntu: without Docker, and without a registry of images.
image-test: .venv/stamp-dev ## build the container image and run it
	$(BIN)/python docker/image_test.py

# Its own environment, 2.8 GB: TensorFlow is no part of the others.
test-tensorflow: .venv-tensorflow/stamp ## test the export to TensorFlow
	.venv-tensorflow/bin/python -m pytest tests/tensorflow_export

lint: .venv/stamp-dev ## format, lint, types, import arrows, duplicates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code src

check: lint test ## everything that must hold before a commit: lint, then test

.venv/stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "demix: expected Python 3.11 or later, received $$($(PYTHON) --version 2>&1 | tail -n 1);" \
	    "install one and name it: make compare PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/stamp-compare: .venv/stamp-venv pyproject.toml constraints.txt
	$(INSTALL) '.[compare]'
	@touch $@

.venv/stamp-serve: .venv/stamp-venv pyproject.toml constraints.txt
	$(INSTALL) '.[serve]'
	@touch $@

.venv/stamp-dev: .venv/stamp-venv pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps openunmix==1.3.0 # timed beside ours; needs no torchaudio
	@touch $@ .venv/stamp-compare .venv/stamp-serve # [dev] holds them

.venv-tensorflow/stamp: .venv/stamp-venv pyproject.toml constraints.txt constraints-tensorflow.txt
	$(PYTHON) -m venv .venv-tensorflow
	$(INSTALL:$(BIN)/%=.venv-tensorflow/bin/%) '.[tensorflow]' --constraint constraints-tensorflow.txt pytest
	@touch $@
