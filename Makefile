# A machine needs python3 (3.11 or newer), pip and make; everything else is brought here.

VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
UV := $(shell command -v uv || echo .tools/bin/uv)

.DEFAULT_GOAL := help
.PHONY: help setup run test check torture fix migration lock bench

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## Bring the dependencies, exactly as locked, into .venv

run: setup  ## Run PostgreSQL and the service, with reload, on http://127.0.0.1:8000
	@$(BIN)/app dev || [ $$? -eq 130 ]  # Ctrl-C is the way to stop it

test: setup  ## Run all tests against a PostgreSQL of their own
	@$(BIN)/pytest

check: setup  ## Do all that CI does: format, lint, types, layers, migrations, tests
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/app db check
	@$(MAKE) --no-print-directory test

torture: setup  ## Try for half an hour what check tries for minutes: make torture, or seed=1
	@$(BIN)/pytest --torture $(if $(seed),--seed=$(seed)) --numprocesses=0 -v --tb=short tests/faults
	@$(BIN)/pytest --torture -v --tb=short tests/sabotage
	@$(BIN)/pytest --torture -n0 -v --tb=short tests/upstream
	@PLUMBLINE_PLAN_CACHE_MODE=force_generic_plan $(BIN)/pytest --ignore=tests/faults

fix: setup  ## Format, and mend what the linter can
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

migration: setup  ## Write the migration for changed models: make migration m="add tags"
	@$(BIN)/app db revision "$(m)"

bench: $(BENCH)/.installed  ## Measure against what others use: make bench, or make bench quick=1
	@$(BENCH)/bin/python -m benchmarks.run $(if $(quick),--quick)
	$(if $(quick),,@$(BENCH)/bin/python benchmarks/pool.py)
	$(if $(quick),,@$(BENCH)/bin/python benchmarks/logins.py)

lock: $(UV)  ## Lock the newest versions that pyproject.toml allows
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		pyproject.toml --group dev -o requirements-dev.txt
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		pyproject.toml --group bench -o requirements-bench.txt

$(VENV)/.installed: requirements-dev.txt pyproject.toml | $(UV)
	@echo "Installing the dependencies into $(VENV)"
	@$(UV) venv --quiet --allow-existing $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(BENCH)/.installed: requirements-bench.txt pyproject.toml | $(UV)
	@echo "Installing the contenders into $(BENCH)"
	@$(UV) venv --quiet --allow-existing $(BENCH)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BENCH)/bin/python --require-hashes requirements-bench.txt
	@$(UV) pip install --quiet --python $(BENCH)/bin/python --no-deps --editable .
	@touch $@

.tools/bin/uv:
	@echo "Installing uv into .tools"
	@python3 -m pip install --quiet --disable-pip-version-check --target .tools uv
