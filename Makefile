SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell scripts/find-python)
BIN := .venv/bin
PIP_FLAGS := --require-hashes --no-input --disable-pip-version-check --quiet

.PHONY: help
help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/; s/\$$\$$/$$/g' | expand -t 16

.PHONY: install
install: .venv/.run  ## Make .venv with the locked dependencies, and no more.

.PHONY: run
run: install  ## Serve the demo on http://127.0.0.1:$${PORT:-8000}/.
	@exec scripts/run

.PHONY: serve
serve: install  ## Serve the demo by several processes behind nginx, on http://127.0.0.1:$${PORT:-8000}/.
	@exec scripts/serve

.PHONY: test
test: .venv/.dev  ## Check everything: lint, types, unit, client, simulation, servers, doctor, browser, sites, newest Python.
	@scripts/test

.PHONY: test-fast
test-fast: .venv/.dev  ## Check lint, types, client, and the unit tests that need no server.
	@scripts/test fast

.PHONY: lint
lint: .venv/.dev  ## Check style, layers and types.
	@scripts/test lint

.PHONY: newest
newest: .venv-newest/.dev  ## Run the fast tests on the newest Python that is here.
	@scripts/test newest

.PHONY: sites
sites: .venv-sites/.dev  ## Try all sites of tests/sites with their packages, and write docs/sites.md.
	@scripts/test all_sites

.PHONY: simulate
simulate: .venv/.dev  ## Run the product on a virtual clock, amid faults: SCHEDULES=200, SEED=7 to repeat one, MUTANTS=1.
	@scripts/ensure-servers redis-server
	@$(BIN)/python -m tests.simulation

.PHONY: format
format: .venv/.dev  ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: client
client: .venv/.dev  ## Build the script that pages load, idlewatch.min.js.
	@scripts/build-client

.PHONY: messages
messages: .venv/.run  ## Bring the catalogues up to date with the code, and compile them.
	@scripts/messages

.PHONY: screenshots
screenshots: .venv/.dev  ## Take screenshots of every state into build/screenshots/, and the README's moving pictures.
	@scripts/screenshots

.PHONY: bench
bench:  ## Measure what it costs, and write docs/benchmarks.md: QUICK=1, ROWS=1,2 for some, CHECK=1 to judge.
	@$(PYTHON) -m tests.tools.bench.options
	@$(MAKE) --no-print-directory .venv-bench/.dev
	@scripts/ensure-servers redis-server
	@scripts/ensure-chromium
	@.venv-bench/bin/python -m tests.tools.bench

.PHONY: scale
scale: .venv/.dev  ## Show that it copes with many sessions, and write docs/scale.md: SESSIONS=5000 RECORDS=100000 for a quick look.
	@scripts/ensure-servers redis-server postgresql
	@$(BIN)/python -m tests.tools.scale

.PHONY: wheel
wheel: .venv/.dev  ## Build the wheel into dist/.
	$(BIN)/python -m build --wheel --no-isolation

.PHONY: lock
lock: .venv/.dev  ## Resolve the dependencies again and write the lock files.
	@scripts/lock

.PHONY: clean
clean:  ## Remove what was made.
	rm -rf .venv .venv-newest .venv-sites .venv-bench node_modules build dist staticfiles test-results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	scripts/make-venv "$(PYTHON)" .venv

.venv/.run: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.txt
	touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-dev.txt
	touch $@

.venv-newest/.dev: requirements-dev.txt
	scripts/make-venv "$$(scripts/find-python --newest)" .venv-newest
	.venv-newest/bin/python -m pip install $(PIP_FLAGS) -r requirements-dev.txt
	touch $@

.venv-sites/.dev: requirements-sites.txt
	scripts/make-venv "$$(scripts/find-python --newest || scripts/find-python)" .venv-sites
	.venv-sites/bin/python -m pip install $(PIP_FLAGS) -r requirements-sites.txt
	touch $@

.venv-bench/.dev: requirements-bench.txt
	scripts/make-venv "$(PYTHON)" .venv-bench
	.venv-bench/bin/python -m pip install $(PIP_FLAGS) -r requirements-bench.txt
	touch $@
