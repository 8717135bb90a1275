# A machine needs python3 (3.11 or newer), pip and make; everything else is brought here.

VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
UV := $(if $(shell command -v uv),uv,.tools/bin/uv)

# The library is not in the locks: pip refuses a folder among hashes. Its dependencies are.
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-package plumbline-fastapi pyproject.toml

# pip and uv trust the machine's own certificates (of a company's proxy, say) where it has any. Named
# by variables, because older ones ignore those that they do not know.
CERTIFICATES := $(wildcard /etc/ssl/certs/*.* /etc/ssl/cert.pem /etc/pki/tls/certs/*.* /System/Library)
ifneq ($(SSL_CERT_FILE)$(SSL_CERT_DIR)$(CERTIFICATES),)
export UV_SYSTEM_CERTS ?= 1
export UV_NATIVE_TLS ?= 1
endif
export PIP_ROOT_USER_ACTION ?= ignore

# Where this is set, each of the many processes of the tests would compile all of app/ again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run browser test check torture cluster fix migration lock bench scale

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## Bring the dependencies, exactly as locked, into .venv

run: setup  ## Run PostgreSQL and the service, with reload: make run, or port=8001
	@$(BIN)/app dev $(if $(port),--port=$(port)) || [ $$? -eq 130 ]  # Ctrl-C is the way to stop it

browser: setup  ## Bring a Chromium for the browser tests, where the machine has none
	@$(BIN)/python -m plumbline_tests.chromium

test: setup browser  ## Run all tests against a PostgreSQL of their own
	@$(BIN)/pytest

check: setup browser  ## Do all that CI does; make check quick=1 leaves out slow tests of what is unchanged
	@$(MAKE) --no-print-directory --jobs=2 --output-sync $(if $(quick),,.pyright) .types .style .layers $(if $(quick),,.schema)
	@$(BIN)/pytest $(if $(quick),--quick)

# What `check` does before the tests, two at once and the longest first.
.PHONY: .types .pyright .style .layers .schema
.types:
	$(BIN)/mypy
.pyright:
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python
.style:
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
.layers:
	$(BIN)/lint-imports --no-logo
.schema:
	$(BIN)/app db check

FAULTS := tests/faults library/plumbline_tests/faults

torture: setup browser  ## Try for half an hour what check tries for minutes: make torture, or seed=1
	@$(BIN)/pytest --torture $(if $(seed),--seed=$(seed)) --numprocesses=0 -v --tb=short $(FAULTS)
	@$(BIN)/pytest --torture -m torture -v --tb=short $(FAULTS:%=--ignore=%) --ignore=tests/upstream
	@$(BIN)/pytest --torture -n0 -v --tb=short tests/upstream
	@$(BIN)/pytest -o plumbline_postgres=plan_cache_mode=force_generic_plan $(FAULTS:%=--ignore=%)

# What Debian has; a member runs as the user `postgres`, so this needs root.
CLUSTER := patroni etcd-server python3-etcd3 haproxy postgresql pgbouncer
CLUSTER_TESTS := $(patsubst %,library/plumbline_tests/cluster/%.py,recognised pooled rolling patroni)
cluster: setup .cluster .tools/pgbouncer/pgbouncer  ## Behind PgBouncer, HAProxy and Patroni, under load: make cluster (root, Debian)
	@$(BIN)/pytest --torture --numprocesses=0 -v --tb=short $(CLUSTER_TESTS) tests/sabotage/clustered.py

.PHONY: .cluster
.cluster:
	@command -v patroni etcd haproxy pgbouncer >/dev/null || { echo "Installing $(CLUSTER) (apt)"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $(CLUSTER); }

# A PgBouncer that keeps statements prepared (1.21 or later), which Debian 12 has not: from Debian 13's source.
.tools/pgbouncer/pgbouncer:
	@sh scripts/build_pgbouncer.sh $(dir $@)

fix: setup  ## Format, and correct what the linter can
	$(BIN)/ruff format --quiet
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

migration: setup  ## Write the migration for changed models: make migration m="add tags"
	@$(BIN)/app db revision "$(m)"

bench: $(BENCH)/.installed  ## Measure against what others use: make bench, or make bench quick=1
	@$(BENCH)/bin/python -m benchmarks.run $(if $(quick),--quick)
	$(if $(quick),,@$(BENCH)/bin/python benchmarks/pool.py)
	$(if $(quick),,@$(BENCH)/bin/python benchmarks/logins.py)

scale: $(BENCH)/.installed  ## Measure how the service scales: make scale (ten minutes), or make scale quick=1
	@$(BENCH)/bin/python -m benchmarks.scale $(if $(quick),--quick)

lock: $(filter .tools/%,$(UV))  ## Lock the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade -o requirements/production.txt
	$(COMPILE) --upgrade --group dev -o requirements/dev.txt
	$(COMPILE) --upgrade --group bench -o requirements/bench.txt

$(VENV)/.installed: requirements/dev.txt pyproject.toml library/pyproject.toml | $(filter .tools/%,$(UV))
	@echo "Installing the dependencies into $(VENV)"
	@$(UV) venv --quiet --allow-existing $(if $(python),--python $(python)) $(VENV)
	@$(BIN)/python scripts/check_system.py
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes \
		$(if $(wheels_only),--only-binary :all:) requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable library --editable .
	@touch $@

$(BENCH)/.installed: requirements/bench.txt pyproject.toml library/pyproject.toml | $(filter .tools/%,$(UV))
	@echo "Installing the contenders into $(BENCH)"
	@$(UV) venv --quiet --allow-existing $(BENCH)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BENCH)/bin/python --require-hashes requirements/bench.txt
	@$(UV) pip install --quiet --python $(BENCH)/bin/python --no-deps --editable library --editable .
	@touch $@

.tools/bin/uv:
	@python3 -m pip --version >/dev/null || { echo "python3 needs pip (as in: apt install python3-pip), or the machine uv"; exit 1; }
	@echo "Installing uv into .tools"
	@python3 -m pip install --quiet --disable-pip-version-check --target .tools uv
