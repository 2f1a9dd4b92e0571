# `make help` lists what there is. Everything runs in a private environment, .venv, made on first use.
.DEFAULT_GOAL := help
.ONESHELL:
SHELL := bash
VENV ?= .venv
export VENV
# Tests start the product as a process hundreds of times; each would compile it anew where bytecode is not kept.
unexport PYTHONDONTWRITEBYTECODE
PY := $(VENV)/bin/python
SOURCES := src tests benchmarks

help: ## Say what there is
	@echo "Courseway: courses in any LMS, and every grade back in its gradebook."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## Make or refresh .venv (Python 3.11 or newer); quick when nothing changed
	@scripts/setup.sh

demo: setup ## Run the main job: an LMS, a course, a grade. ARGS="--port 8000 --lms-port 8001 --fresh"
	@$(VENV)/bin/courseway demo $(ARGS)

programs: setup ## Find Chromium, nginx, RabbitMQ and Redis for the tests, or install them with apt-get
	@scripts/programs.sh chromium headless-shell nginx rabbitmq redis

test: setup programs ## The whole suite: SQLite, the browser, PostgreSQL; says what it skipped and why
	@scripts/test.sh $(ARGS)

test-deep: setup programs ## All the way in the tests that try out a great deal: many grades, killed workers, wild messages
	@scripts/test.sh deep $(ARGS)

check: setup ## Format, lint, types, import rules, tests on SQLite (TESTED=yes: the tests were just run)
	@set -e
	$(PY) -m ruff format --check $(SOURCES)
	$(PY) -m ruff check $(SOURCES)
	$(PY) -m mypy src
	$(VENV)/bin/lint-imports
	[[ -n "$(TESTED)" ]] || $(PY) -m pytest -q -n auto -m "not browser and not peers and not slow and not programs"

format: setup ## Format the code and mend what the linter can mend
	@$(PY) -m ruff check --fix-only -q $(SOURCES)
	$(PY) -m ruff format $(SOURCES)

test-peers: setup ## Against programs of other people, each in its own environment, and what LMSs really sent
	@set -e
	$(PY) -m pytest -q -m peers $(ARGS)
	$(PY) -m pytest -q -rs tests/spec/certification/test_recorded.py tests/spec/test_lti11_recorded.py tests/spec/test_lti13_recorded.py

spec-table: setup ## Every case of the LTI certification against a served Courseway, over HTTP, as a table
	@$(PY) -m pytest -q tests/spec/certification --spec-table $(ARGS)

launch-matrix: setup programs ## Launch by both versions, in frames and windows, with and without third-party cookies; print a table
	@PYTHONPATH=src:. $(PY) -m tests.end_to_end.launch_matrix $(ARGS)

term-rollover: setup ## Roll a term over in every LMS, by LTI 1.1 and 1.3, and print a table. ARGS="--only moodle-1.3"
	@PYTHONPATH=src:. $(PY) -m tests.end_to_end.term_rollover $(ARGS)

benchmark: setup ## What it costs, beside floors and peers. ARGS="--work launches --only courseway floor --seconds 2 --keep"
	@PYTHONPATH=src:. $(PY) -W ignore -m benchmarks $(ARGS)

fault-run: setup programs ## 10,000 grades while everything fails: lost, overwritten, unexplained. ARGS="--grades 500 --database sqlite"
	@PYTHONPATH=src:. $(PY) -m tests.faults $(ARGS)

guides: setup ## Write docs/guides from the guides of the product
	@$(PY) scripts/write_guides.py

quirks: setup ## Write docs/quirks.md and docs/ltikit/errors.md from ltikit and the tests that name a quirk
	@$(PY) scripts/write_quirks.py && $(PY) scripts/write_ltikit_tables.py

lock: setup ## Write requirements/*.txt anew from pyproject.toml, with hashes and without addresses
	@set -e
	lock() { $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --extra postgres "$$@"; }
	lock $(ARGS) --output-file requirements/base.txt
	lock $(ARGS) --extra celery --output-file requirements/celery.txt
	lock $(ARGS) --extra celery --group dev --output-file requirements/dev.txt
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --constraint requirements/dev.txt --group build $(ARGS) --output-file requirements/build.txt

lock-peers: setup ## Write the requirements of the peers anew, each for its own environment
	@set -e
	for name in edx pylti1p3 pylti1p3-first lti; do
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header tests/peers/requirements-$$name.in $(ARGS) --output-file tests/peers/requirements-$$name.txt
	done
	for file in benchmarks/peers/requirements-*.in; do
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header $$file $(ARGS) --output-file $${file%.in}.txt
	done
	cd tests/peers/ltijs && npm install --package-lock-only --no-audit --no-fund

clean: ## Remove .venv, .venv-peers, caches and the demo's data
	@rm -rf $(VENV) .venv-peers .mypy_cache .ruff_cache .import_linter_cache .hypothesis .migrated data/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo programs test test-deep check format test-peers spec-table launch-matrix term-rollover benchmark fault-run guides quirks lock lock-peers clean
