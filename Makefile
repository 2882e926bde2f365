# make eval   the default suite, end to end, into ./runs        make test    what CI runs
# make test-fast  the same without what is slow               make coverage  the same, and which lines it did not reach
# make stress the long forms of those tests that have one: kills, publishers, fuzzed specs and rows, corruptions
# make small  real data: make small DATA=folder-in-hub-layout  make dist    sdist and wheel into ./dist, checked
# make lock   requirements*.lock anew from pyproject.toml; make lock UPGRADE=1 takes every package at its newest
# make bench  speed beside other libraries, into .benchmarks   make bench-gpu   the same on a GPU
# make performance  what these measured, into docs/performance.md
# make mutants  faults that the tests do not notice, a sample (see tests/mutants.py)
# make board  render the project's own leaderboard/ anew, with the pictures of the page that the docs show (needs Chromium)
# make docs   the docs as a site, into ./site (start at site/index.html); a dead link fails
# make image  the image, with TORCH=cpu or cuda               make image-test  builds and uses it, see tools/image.sh
# make clean  the environment and what tools leave; your results in ./runs stay
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip $(if $(CI),--quiet) --disable-pip-version-check

# By version, from whatever index pip is told of, so that each machine takes the build it can use. PyPI's by its hash:
# make TORCH_FROM='--no-deps --require-hashes -r requirements-torch.lock'
TORCH_FROM ?= $(shell grep -o '^torch==[0-9.]*' requirements-torch.lock)

.PHONY: eval small test test-fast coverage stress lint bench bench-gpu performance mutants board docs dist tag-check image image-test lock clean
.DEFAULT_GOAL := eval

# What a run needs, from the locks, and the checkout in place.
$(VENV)/ready: requirements.lock requirements-torch.lock pyproject.toml
	@echo 'installing into $(VENV): the packages, then torch, which is large; minutes the first time'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes -r requirements.lock
	@echo 'now torch'
	$(PIP) install $(TORCH_FROM)
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
	@echo 'installed; from here on this costs nothing. `make eval` runs the harness, `. $(VENV)/bin/activate` has its command'

# The same with the tools of tests, checks and docs.
$(VENV)/dev: $(VENV)/ready requirements-dev.lock
	$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	touch $@

eval: $(VENV)/ready
	$(BIN)/xstilts-harness eval --all

small: $(VENV)/ready
	$(BIN)/xstilts-harness eval --suite small $(if $(DATA),--data-root $(DATA))

test: $(VENV)/dev lint
	$(BIN)/python -m pytest -n logical --dist worksteal

test-fast: $(VENV)/dev
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not slow"

coverage: $(VENV)/dev
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not slow" --cov --cov-report=term:skip-covered

stress: $(VENV)/dev
	XSTILTS_STRESS=1 $(BIN)/python -m pytest $$(grep -lE 'from (tests\.)?stress import' tests/test_*.py)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The commands that measure write JSON; `performance` makes tables of what there is.
bench: $(VENV)/dev
	$(BIN)/python -m tests.peers.cpu .benchmarks/cpu.json
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --benchmark-only --benchmark-disable-gc --benchmark-json=.benchmarks/others.json \
	    -o addopts= $(wildcard tests/bench*.py)

bench-gpu: $(VENV)/dev
	$(BIN)/python -m tests.peers.gpu .benchmarks/gpu.json

performance: $(VENV)/dev
	$(BIN)/python -m tests.peers.page $(wildcard .benchmarks/*.json)

mutants: $(VENV)/dev
	$(BIN)/python -m tests.mutants $(MUTANTS)

board: $(VENV)/dev
	$(BIN)/xstilts-harness leaderboard build --board leaderboard
	$(BIN)/python -m tests.screenshots docs/images

docs: $(VENV)/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

dist: $(VENV)/dev
	rm -rf dist && $(BIN)/python -m hatchling build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

# The version stands in one place, and a tag that says another stops a release: make tag-check TAG=v0.1.0
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' harness/__init__.py)
tag-check:
	@[ "$(TAG)" = "v$(VERSION)" ] || { echo "the tag is $(TAG), harness/__init__.py says $(VERSION)" >&2; exit 1; }
	@grep -q '^## $(VERSION)\b' CHANGELOG.md || { echo "CHANGELOG.md has no section $(VERSION)" >&2; exit 1; }

IMAGE ?= xstilts-harness
TORCH ?= cuda
image:
	docker build -t $(IMAGE) --build-arg TORCH=$(TORCH) $(if $(filter cpu,$(TORCH)),--build-arg BASE=ubuntu:24.04) \
	    --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) --build-arg SOURCE=$(SOURCE) .

image-test:
	tools/image.sh

# uv resolves for every system and Python at once, which pip does for its own alone.
lock:
	$(PYTHON) -m venv .lock-venv && .lock-venv/bin/pip install --quiet uv
	PATH="$(CURDIR)/.lock-venv/bin:$$PATH" .lock-venv/bin/python tools/lock.py $(if $(UPGRADE),--upgrade)
	rm -rf .lock-venv

# What a run computed may have cost days, and is asked for by name.
clean:
	rm -rf $(VENV) .lock-venv .pytest_cache .ruff_cache .hypothesis .benchmarks .coverage .mypy_cache site
	@if [ -d runs ]; then echo 'kept: runs/, your results and releases (rm -r runs removes them)'; fi
