# SyncLens: every command of a working day. Needs Python 3.11+ and make; the rest is set up here. `make help` prints:
#   make demo      simulate a fleet, load it, print the triage summary and serve the dashboard (SERVE=0: no dashboard)
#   make test      the tests a change can break, in minutes
#   make test-all  every test: also browser, Spark, notebooks, docs, wheel, mutations and soak
#   make check     lint, types, import contracts, wording, report card and test-all (what CI runs)
#   make lint      ruff, mypy, import-linter          make wording  word list and spelling
#   make dash      only the dashboard                 make bench    the benchmarks
#   make docs      the documentation site in site/    make audit    known vulnerabilities in code and dependencies
#   make soak      killed writers, full disks, damaged stores, for some minutes
#   make explore   every property test with new random examples

PYTHON  ?= python3
SERVE   ?= 1
SEED    ?= 7
PORT    ?= 8501
STORE   ?= demo.duckdb
KILLS   ?= 100
BENCHES ?= grouping root_cause change_points suspects alerts ingest_speed sync_workload dashboard cli
UV      := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
SYNC    := $(UV) sync --quiet --locked --inexact --python $(PYTHON)
RUN     := .venv/bin/
PYTEST  := $(RUN)python -m pytest
CODE    := sync_engine ingest analysis rehearsal dashboard synclens
MESSAGES := tests/analysis/classification
PARALLEL := -n auto --dist worksteal
FAST    := not (browser or spark or docs or wheel or mutations or soak or slow)

.PHONY: help demo dash test test-all cover check card lint wording audit soak explore format notebooks bench docs \
        setup browser clean

demo: .venv/.demo
	@$(RUN)synclens demo --store $(STORE) --seed $(SEED) --port $(PORT) \
	  --load tests/data/sync_tracking__v_export.csv $(if $(filter 0,$(SERVE)),--no-serve)

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

dash: .venv/.demo
	@$(RUN)synclens dashboard --store $(STORE) --port $(PORT)

test: .venv/.test
	$(PYTEST) tests -m "$(FAST)" $(PARALLEL) -q

test-all: .venv/.all browser
	$(PYTEST) tests $(PARALLEL) -q

cover: .venv/.all browser
	$(PYTEST) tests $(PARALLEL) -q --cov --cov-report=term:skip-covered

check: lint wording card test-all

card: .venv/.all
	$(RUN)synclens report-card --samples $(MESSAGES)/probe.jsonl --first-looks $(MESSAGES)/first_looks.jsonl --check

lint: .venv/.all
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports

wording: .venv/.all
	$(RUN)python .ci/wording.py
	$(RUN)codespell

audit: .venv/.all
	$(RUN)bandit -q -c pyproject.toml -r $(CODE)
	$(RUN)pip-audit --skip-editable

soak: .venv/.all
	SYNCLENS_KILLS=$(KILLS) $(PYTEST) tests/e2e/test_soak.py tests/ingest tests/security -q --hypothesis-profile=exploring

explore: .venv/.all
	@echo "Drawing new examples for every property test. Add each failing example to its test with @example."
	$(PYTEST) tests -m hypothesis --hypothesis-profile=exploring $(PARALLEL) -q

format: .venv/.all
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

notebooks: .venv/.all
	$(RUN)python .ci/notebooks.py

bench: .venv/.all
	@for name in $(BENCHES); do echo "== $$name"; $(RUN)python -m benchmarks.$$name || exit 1; done

docs: .venv/.all
	NO_MKDOCS_2_WARNING=1 $(RUN)python -m mkdocs build --quiet
	@echo "The site is in site/index.html"

setup: .venv/.all browser

# What each command needs, and no more: a core with the dashboard, the tests, or everything.
.venv/.demo: pyproject.toml uv.lock | $(UV)
	@echo "Setting up .venv with the locked versions."
	$(SYNC) --no-default-groups --extra dashboard --extra classify
	@touch $@

.venv/.test: pyproject.toml uv.lock | $(UV)
	@echo "Setting up .venv for the tests."
	$(SYNC) --no-default-groups --group test --group e2e --extra dashboard --extra classify --extra vault-server --extra excel --extra keyring
	@touch $@

.venv/.all: pyproject.toml uv.lock | $(UV)
	@echo "Setting up .venv with everything (a minute or two the first time)."
	$(SYNC) --all-groups --all-extras
	@touch $@

.uv/bin/uv:
	@echo "uv is not installed; installing it into .uv with pip"
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

browser:
	@.ci/browser

clean:
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis artefacts dist site $(STORE)*
