# Every target makes what it needs. Output of the set-up goes to stderr, so `make run` can be piped.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Workers and the processes that tests start share one another's bytecode.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
MAKEFLAGS += --no-print-directory

.PHONY: run test test-web check soak bench lock clean help
.DEFAULT_GOAL := help

help: ## what can be made here
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: requirements/run.txt requirements/charts.txt requirements/files.txt pyproject.toml
	@echo "Setting up $(VENV) (once)…" >&2
	@$(PYTHON) -c 'import sys; sys.exit("Frontdesk needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Set PYTHON=python3.11 or install it.") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt -r requirements/charts.txt -r requirements/files.txt >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Adding what the checks need (once)…" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt >&2
	@touch $@

run: $(VENV)/.run ## start the desk: platforms whose tokens are set, or a console chat
	@exec $(BIN)/frontdesk run

test: $(VENV)/.dev ## the suite: under two minutes, no network, no account
	@$(PYTEST) -n 4

test-web: $(VENV)/.dev ## the admin pages in a real browser (brings Chromium where apt can)
	@tests/web/install-browser
	@$(PYTEST) -m web tests/web

check: $(VENV)/.dev ## lint, format, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

soak: $(VENV)/.dev ## the long proof: kill gate, crash sweeps, large scenario counts
	@$(PYTEST) -m "soak or hypothesis" --hypothesis-profile=long -n 2 --maxschedchunk=1 --timeout=900

bench: $(VENV)/.dev ## what it costs: one command, one table
	@$(BIN)/python -m bench

lock: $(VENV)/.dev ## pin requirements anew, with hashes and without an index address
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@cd requirements && for name in dev run charts files local; do \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" ../$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --upgrade $$name.in -o $$name.txt $$([ $$name = dev ] || echo "-c dev.txt"); done

clean: ## forget the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
