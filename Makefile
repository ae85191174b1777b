# Two commands: `make demo` and `make test`. Each installs what it needs into .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install servers demo test lanes lint bench soak clean
PYTEST := .venv/bin/python -m pytest

help: ## Say what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'
	@echo
	@echo 'make demo ONCE=1     end by itself instead of staying up; the exit code tells whether everything happened'
	@echo 'make demo MONTHS=11  run that many months of 2013 instead of a handful (1 to 11)'
	@echo 'make lanes AIRFLOW=3.1  on that one alone'
	@echo 'make test ARGS=...   pass arguments to pytest, such as ARGS="tests/core -x"'

install: ## Make .venv and install everything; quick when nothing changed
	@.ci/install

demo: install ## Watch Airflow retrain, deploy, judge and roll back a real model on a real HDFS
	@exec .venv/bin/python -m demo

lint: install ## Check style, types and the floors of the house
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

# Some gigabytes, which the demo does not need.
servers: install ## Install the servers that the tests start, each into an environment of its own
	@.venv/bin/python -m tests.servers.environments

# Two at a time, a file each: most tests wait for a server.
test: lint servers ## Run every check and every test, real HDFS included
	@$(PYTEST) -n 2 --dist loadfile $(ARGS)

# What knows Airflow, and what it stands on; one environment for each Airflow before the newest.
AIRFLOW := 3.1 3.2
ROOMS := airflows/test_this_airflow.py assets cli core dags decorators forms hooks house notifications operators plugins \
	releases sensors triggers test_retries.py
lanes: servers ## Run the unit and DAG tests on older Airflows
	@for older in $(AIRFLOW); do \
		echo "Airflow $$older"; \
		AIRFLOW_HOME=$(CURDIR)/.venv/servers/airflow-$$older/home .venv/servers/airflow-$$older/bin/python -m pytest \
			-n 2 --dist loadfile $(addprefix tests/,$(ROOMS)) $(ARGS); \
	done

soak: servers ## Run the long tests
	@$(PYTEST) -m soak $(ARGS)

bench: install ## Run the benchmarks; JSON lines here and in .bench/
	@mkdir -p .bench
	@for file in tests/benchmarks/bench_*.py; do \
		name=$$(basename "$$file" .py); \
		.venv/bin/python -m "tests.benchmarks.$$name" $(ARGS) | tee ".bench/$$name.jsonl"; \
	done

clean: ## Remove what make made, the virtual environment too
	@rm -rf .venv .demo .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
