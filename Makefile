# SyncLens: every task of a day. Needs Python 3.11 and make; everything else is set up here. make help says this:
#   make demo    simulate a fleet, load it, print the triage summary, serve the dashboard (SERVE=0 stops before)
#   make test    every test          make check   the same, lint, types, import contracts, the report card
#   make dash    only the dashboard  make bench   the benchmarks      make lint   ruff, mypy, import-linter
#   make docs    the documentation site, in site/          make audit  known holes in code and dependencies
#   make soak    writers killed beside readers, full disks, damaged stores: some minutes
#   make explore every property once more, on examples that no run before has drawn

PYTHON ?= python3
SERVE  ?= 1
SEED   ?= 7
PORT   ?= 8501
STORE  ?= demo.duckdb
KILLS  ?= 100
BENCHES ?= grouping root_cause change_points suspects alerts ingest_speed sync_workload dashboard
UV     := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN    := .venv/bin/

.PHONY: help demo test cover check card audit lint format types contracts notebooks bench dash docs soak explore setup browser clean

demo: .venv/.ready
	@$(RUN)synclens demo --store $(STORE) --seed $(SEED) --port $(PORT) \
	  --also tests/data/sync_tracking__v_export.csv $(if $(filter 0,$(SERVE)),--no-serve)

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

dash: .venv/.ready
	@$(RUN)synclens dashboard --store $(STORE) --port $(PORT)

test: .venv/.ready browser
	@echo "Running every test on all cores; this takes some minutes."
	$(RUN)python -m pytest tests notebooks --nbmake --nbmake-timeout=300 -n auto --dist loadfile

cover: .venv/.ready browser
	@echo "The same with every line counted, which takes half as long again."
	$(RUN)python -m pytest tests notebooks --nbmake --nbmake-timeout=300 -n auto --dist loadfile --cov --cov-report=term:skip-covered

check: lint card test

card: .venv/.ready
	$(RUN)synclens report-card --samples tests/analysis/classification/probe.jsonl --check

lint: .venv/.ready
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports

audit: .venv/.ready
	$(RUN)bandit -q -c pyproject.toml -r sync_engine ingest analysis rehearsal dashboard synclens
	$(RUN)pip-audit --skip-editable

soak: .venv/.ready
	@echo "Killing, filling, truncating and racing for some minutes; every refusal has to say what to do."
	SYNCLENS_KILLS=$(KILLS) $(RUN)python -m pytest tests/e2e/test_soak.py tests/ingest/test_ingest_crash.py tests/ingest/test_ingest_fuzz.py tests/security -q --hypothesis-profile=exploring

explore: .venv/.ready
	@echo "Drawing new examples for every property; what fails belongs into the test as an @example."
	$(RUN)python -m pytest tests -m hypothesis --hypothesis-profile=exploring -n auto --dist loadfile -q

format: .venv/.ready
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

notebooks: .venv/.ready
	$(RUN)python -m pytest --nbmake --nbmake-timeout=300 notebooks -q

bench: .venv/.ready
	@for name in $(BENCHES); do echo "== $$name"; $(RUN)python -m benchmarks.$$name || exit 1; done

docs: .venv/.ready
	NO_MKDOCS_2_WARNING=1 $(RUN)python -m mkdocs build --quiet
	@echo "The site is in site/index.html"

setup: .venv/.ready browser

.venv/.ready: pyproject.toml uv.lock | $(UV)
	@echo "Setting up .venv with the locked versions (a minute or two the first time)."
	$(UV) sync --quiet --locked --all-extras --python $(PYTHON)
	@touch $@

.uv/bin/uv:
	@echo "uv is missing; fetching it with pip into .uv"
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

browser:
	@.ci/browser

clean:
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis artefacts dist site $(STORE)*
