# make eval   the smoke suite, end to end, into ./runs        make test    what CI runs
# make test-fast  the same without what is slow               make coverage  the same, and which lines it did not reach
# make stress the long forms of those tests that have one: kills, publishers, fuzzed specs and rows, corruptions
# make small  real data: make small DATA=folder-in-hub-layout  make lock    refresh requirements.lock
# make mutants  faults that the tests do not notice, a sample (see tests/mutants.py)
# make board  render the project's own leaderboard/ anew, with the pictures of the page that the docs show (needs Chromium)
# make docs   the docs as a site, into ./site (start at site/index.html); a dead link fails
# make clean  the environment and what tools leave; your results in ./runs stay
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: eval small test test-fast coverage stress lint bench mutants board docs lock clean
.DEFAULT_GOAL := eval

# One environment, from the lock file. torch is locked by version, so each platform takes its own build.
$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

eval: $(VENV)/ready
	$(BIN)/xstilts-harness eval --all

small: $(VENV)/ready
	$(BIN)/xstilts-harness eval --suite small $(if $(DATA),--data-root $(DATA))

test: $(VENV)/ready lint
	$(BIN)/python -m pytest -n logical --dist worksteal

test-fast: $(VENV)/ready
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not slow"

coverage: $(VENV)/ready
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not slow" --cov --cov-report=term:skip-covered

stress: $(VENV)/ready
	XSTILTS_STRESS=1 $(BIN)/python -m pytest $$(grep -lE 'from (tests\.)?stress import' tests/test_*.py)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready
	$(BIN)/python -m pytest --benchmark-only --benchmark-disable-gc -o addopts= tests/bench.py

mutants: $(VENV)/ready
	$(BIN)/python -m tests.mutants $(MUTANTS)

board: $(VENV)/ready
	$(BIN)/xstilts-harness leaderboard build --board leaderboard
	$(BIN)/python -m tests.screenshots docs/images

docs: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Resolve anew from pyproject.toml; +cpu and the like are stripped, see above.
lock:
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/pip install --quiet torch==2.13.0
	.lock-venv/bin/pip install --quiet ".[mini,dev]" hatchling editables
	(echo "# Every package of the environment, by version: make lock writes it, make installs it."; \
	 .lock-venv/bin/pip freeze --exclude xstilts-harness | sed 's/+[a-z0-9.]*$$//' | grep -v '^nvidia-\|^triton\|^cuda-') > requirements.lock
	rm -rf .lock-venv

# What a run computed may have cost days, and is asked for by name.
clean:
	rm -rf $(VENV) .lock-venv .pytest_cache .ruff_cache .hypothesis .benchmarks .coverage .mypy_cache site
	@if [ -d runs ]; then echo 'kept: runs/, your results and releases (rm -r runs removes them)'; fi
