# Touchline: `make help` lists the targets. Everything is installed into .venv, node_modules and .cache.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOUCHLINE := $(BIN)/touchline

.DEFAULT_GOAL := help
.PHONY: help install demo up test unit integration soak clients lint types check bench bench-peers bench-analytics bench-loading bench-growth instructions faults simulation clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed node_modules/.installed ## Install everything (venv + pip with constraints, npm)

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV): some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fast,sandbox,dev]'
	@touch $@

# no lock file: package.json names exact versions of packages without dependencies, and a lock would
# need every platform's package to be reachable from where it was written
node_modules/.installed: package.json
	npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

demo: install ## Real events in, live journeys out, on an embedded sandbox (STAY=1 keeps it running)
	$(TOUCHLINE) demo $(if $(STAY),--stay)

up: install ## Start the sandbox in the foreground: broker, ClickHouse, worker, loader
	$(TOUCHLINE) up

test: install ## Everything that must hold: lint, types, contracts, unit and integration tests
	$(MAKE) --no-print-directory check
	$(BIN)/pytest -n 3 --dist worksteal

unit: install ## The tests that start no process
	$(BIN)/pytest tests/unit

integration: install ## The tests on the real broker and the real ClickHouse
	$(BIN)/pytest tests/integration

soak: install ## The longest tests: back-fills, changes, subscribers, predictions, the other faults, a killed SDK (many minutes)
	$(BIN)/pytest -m soak tests/integration

clients: install ## Real SDKs, Avro clients, a schema registry, web servers and a browser (many minutes)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fast,sandbox,dev,browser]'
	$(BIN)/pytest -m clients tests/integration

lint: install ## ruff and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: install ## mypy, strict
	$(BIN)/mypy

check: lint types ## Lint, types and the compatibility of contracts
	$(TOUCHLINE) schemas check

bench: install ## End-to-end speed on the sandbox and on Apache Kafka (some minutes)
	$(BIN)/python -m tests.benchmarks.end_to_end

bench-peers: install ## The same work in plain Faust, Quix Streams, Kafka Streams and the limit, side by side (five minutes)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fast,sandbox,dev,bench]'
	$(BIN)/python -m tests.benchmarks.peers --events 60000 --people 4000 --warm-up 30000 --json docs/peers.json --plot docs/peers.svg

bench-analytics: install ## What analysts wait for, over a million touchpoints; TOUCHPOINTS=10000000 for more, KEEP=FOLDER to ask again (minutes)
	$(BIN)/python -m tests.benchmarks.analytics $(TOUCHPOINTS) $(if $(KEEP),--keep $(KEEP))

bench-loading: install ## CPU of the loader and of ClickHouse for a touchpoint, with and without owners on the rows (five minutes)
	$(BIN)/python -m tests.benchmarks.loader_cost

bench-growth: install ## Cost, memory and recovery as profiles and timelines grow (many minutes)
	$(BIN)/python -m tests.benchmarks.growth

instructions: install ## Instructions per event under valgrind, against the accepted figure (two minutes)
	$(BIN)/python -m tests.benchmarks.instructions

faults: install ## The fault suite: real processes, kill -9, SIGSTOP, cut connections (many minutes)
	$(BIN)/python -m tests.faults

simulation: install ## Thousands of schedules of crashes and rebalances in simulated time
	$(BIN)/python -m tests.simulation --schedules 2000 --seed 1

clean: ## Remove what was installed and cached
	rm -rf $(VENV) node_modules .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
