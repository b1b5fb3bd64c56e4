# `make demo` and `make test` work from a fresh clone, because they run the set-up first. Each finished step of the
# set-up leaves a stamp file; it is repeated only when something that it depends on is newer than its stamp.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
INSTALLED := $(VENV)/.installed
JARS := .jars/.fetched
ARCHIVE := .jars/.archived
PEERS := $(VENV)/.peers
MISSING_JARS := $(if $(filter 2,$(words $(wildcard .jars/delta-*.jar))),,always)
# Tests run in two processes; all tests of a file run in the same one. WORKERS= runs everything in one process.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo airflow airflow-demo cluster-demo test test-long bench bench-quick lint lock doctor class-archive clean distclean machine always

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) $(JARS) $(ARCHIVE) ## install the virtual environment, jars and class archive; afterwards no network is needed

demo: setup ## delete lake/demo, then load, compute features, train and score on real flights
	$(BIN)/headwater --env demo demo

airflow: setup ## start Airflow with the project's DAGs on this machine; ENV=NAME (default: local)
	$(BIN)/headwater --env $(or $(ENV),local) airflow

airflow-demo: setup ## land three more days, which Airflow loads and then retrains on; KEEP=1 leaves Airflow running
	$(BIN)/headwater --env demo airflow-demo

cluster-demo: setup ## delete lake/cluster, then load on a Spark cluster of two workers, one of which is killed
	$(BIN)/headwater --env cluster cluster-demo

test: setup ## run all tests except the long ones; WORKERS= uses one process instead of two
	$(BIN)/pytest -m "not long" $(WORKERS)

test-long: setup ## run the long tests
	$(BIN)/pytest -m long $(WORKERS)

bench: setup $(PEERS) ## measure everything beside its peers, after `make demo`; DOCS=1 writes docs/benchmarks.md from it
	$(BIN)/python -m bench all $(if $(DOCS),--docs)

bench-quick: setup $(PEERS) ## measure the commands that people type all day, after `make demo`
	$(BIN)/python -m bench quick $(if $(DOCS),--docs)

lint: $(INSTALLED) ## run ruff, mypy --strict and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy setup/*.py
	$(BIN)/lint-imports

doctor: machine ## report what is wrong on this machine and how to correct it
	@test -x $(BIN)/headwater || { echo "nothing is installed yet: run make setup" >&2; exit 2; }
	$(BIN)/headwater doctor

lock: $(INSTALLED) ## write requirements.lock from pyproject.toml; UPGRADE=1 takes newer versions
	$(LOCK) $(if $(UPGRADE),--upgrade) setup/bootstrap.in --output-file setup/bootstrap.lock
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra dev pyproject.toml --output-file requirements.lock
	$(LOCK) $(if $(UPGRADE),--upgrade) --group bench --output-file bench/requirements.lock

class-archive: $(INSTALLED) $(JARS) ## make the class archive again if Java cannot use the existing one
	@rm -f $(ARCHIVE)
	@$(MAKE) --no-print-directory $(ARCHIVE)

clean: ## remove the caches of tools; data, environment and jars stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## also remove the environment and the jars; data in lake/ stays
	rm -rf $(VENV) .jars

machine:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "headwater cannot be set up here: there is no $(PYTHON)" >&2; \
		  echo "  → install Python 3.11 or newer, or name it: make setup PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "headwater cannot be set up here: $$($(PYTHON) --version 2>&1) is too old or does not run" >&2; \
		  echo "  → install Python 3.11 or newer and name it: make setup PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) setup/check_machine.py

$(PACKAGES): requirements.lock setup/bootstrap.lock | machine
	@echo "environment: installing packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r setup/bootstrap.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock setup/bootstrap.lock
	@touch $@

$(INSTALLED): pyproject.toml $(PACKAGES) | machine
	@$(BIN)/uv pip install --quiet --offline --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@pwd -P > $@
	@echo "environment: installed"

$(PEERS): bench/requirements.lock $(PACKAGES)
	@echo "environment: installing what the benchmarks compare with"
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r bench/requirements.lock
	@touch $@

$(JARS): setup/fetch_jars.py conf/jars.py $(MISSING_JARS) | $(INSTALLED)
	@$(BIN)/python setup/fetch_jars.py
	@touch $@

$(ARCHIVE): setup/make_class_archive.py $(PACKAGES) $(JARS) | $(INSTALLED)
	@$(BIN)/python setup/make_class_archive.py
	@touch $@

always:
