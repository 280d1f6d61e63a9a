# Touchline: `make help` lists the targets. Everything is installed into .venv, node_modules and .cache.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOUCHLINE := $(BIN)/touchline

.DEFAULT_GOAL := help
.PHONY: help install demo up test unit integration soak soak-hours clients lint types check bench bench-peers bench-analytics bench-loading bench-growth instructions faults faults-proof attacks simulation agents cores native wheels fuzz fuzz-native versions sbom docs clean cluster

help: ## List the targets
	@grep -E '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed $(VENV)/.native node_modules/.installed ## Install everything (venv + pip with constraints, the native core where cargo is, npm)

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV): some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[fast,sandbox,dev]'
	@touch $@

# the native core is optional: without it Python does the same work (docs/native-core.md)
NATIVE := $(shell find streams/native -name target -prune -o -type f -print)
SLOWER := Python does its work, and an event costs more CPU (docs/performance.md)

$(VENV)/.native: $(VENV)/.installed $(NATIVE)
	@if ! command -v cargo >/dev/null; then \
		echo "cargo is not on PATH, so the native core is not built: $(SLOWER)"; \
	elif echo "building the native core into .cache/native: a minute or two, once" && \
		! CARGO_TARGET_DIR=$(CURDIR)/.cache/native $(BIN)/pip install --quiet --disable-pip-version-check ./streams/native; then \
		echo "the native core cannot be built here (see above): $(SLOWER)"; \
	fi
	@touch $@

# no lock file: package.json names exact versions of packages without dependencies, and a lock would
# need every platform's package to be reachable from where it was written
node_modules/.installed: package.json
	@if ! command -v npm >/dev/null; then \
		echo "npm is not on PATH, so the sandbox has no ClickHouse and the page no charts: install Node.js, or put a clickhouse binary on PATH or use --clickhouse URL; all else works"; \
	else \
		npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error && touch $@; \
	fi

demo: install ## Real events in, live journeys out, on an embedded sandbox (STAY=1 keeps it running)
	$(TOUCHLINE) demo $(if $(STAY),--stay)

up: install ## Start the sandbox in the foreground: broker, ClickHouse, worker, loader
	$(TOUCHLINE) up

test: install ## Everything that must hold: lint, types, contracts, unit and integration tests
	$(MAKE) --no-print-directory check
	$(BIN)/pytest -n 3 --dist worksteal
	$(MAKE) --no-print-directory agents

unit: install ## The tests that start no process
	$(BIN)/pytest tests/unit

integration: install ## The tests on the real broker and the real ClickHouse
	$(BIN)/pytest tests/integration

soak: install ## The longest tests: back-fills, changes, subscribers, predictions, the other faults, a killed SDK (many minutes)
	$(BIN)/pytest -m soak tests/integration

soak-hours: install ## Hours of load, merges, erasures and kills, watched for growth (HOURS=8 RATE=200 RESTART_MINUTES=10); writes .cache/soak
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fast,sandbox,dev,bench]'
	$(BIN)/python -m tests.soak --hours $(or $(HOURS),8) --rate $(or $(RATE),200) --restart-minutes $(or $(RESTART_MINUTES),10) \
		--folder .cache/soak --plot .cache/soak/soak.svg

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

# what another revision of the code has shown says nothing about this one
FAULT_RESULTS = .cache/faults-$(shell git rev-parse --short HEAD).jsonl

# trials wait most of their time, so several are played beside each other, each on servers of its own
faults-proof: install ## Every fault and control with 20 seeds, briefly (hours; MINUTES=60, JOBS=2; goes on where it was)
	for part in $(shell seq $(or $(JOBS),2)); do \
		$(BIN)/python -u -m tests.faults --short --seed 1 --repeat $(or $(REPEAT),20) --minutes $(or $(MINUTES),0) \
			--part $$part/$(or $(JOBS),2) --results $(FAULT_RESULTS) & parts="$$parts $$!"; \
	done; \
	bad=0; for part in $$parts; do wait $$part || bad=1; done; \
	$(BIN)/python -m tests.faults --table $(FAULT_RESULTS); exit $$bad

cluster: install ## Three brokers that are killed, cut off and restarted; wrong clocks, full disks, little memory (an hour; as root)
	$(BIN)/python -m tests.cluster

attacks: install ## A bystander's waits and the worker's memory beside floods of links, bytes and deadlines (many minutes)
	$(BIN)/python -m tests.attacks

fuzz: install ## Hostile input for every edge, in process: tens of thousands of mutations a minute (MINUTES=5 SEED=1)
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1)

simulation: install ## Thousands of schedules of crashes and rebalances in simulated time
	$(BIN)/python -m tests.simulation --schedules 2000 --seed 1

# agents in this process run by Python's core; workers by the native one where it is built: here each by the other
AGENTS := tests/unit/streams/journeys/test_deadlines.py tests/unit/streams/test_changelogs.py tests/unit/streams/runtime/test_transaction.py

agents: install ## The agents by the native core, where it is built, and by Python's alone (seconds)
	TOUCHLINE_CORE=python $(BIN)/pytest -q $(AGENTS)
	if $(BIN)/python -c 'import touchline_native' 2>/dev/null; then TOUCHLINE_CORE=native $(BIN)/pytest -q $(AGENTS); fi

cores: install ## The unit tests of all agents, thousands of schedules and the integration tests by each core (an hour)
	for core in python native; do \
		TOUCHLINE_CORE=$$core $(BIN)/pytest -q $(AGENTS) tests/simulation tests/protocols tests/integration && \
		$(BIN)/python -m tests.simulation --core $$core --schedules 2000 --seed 1 || exit 1; \
	done

native: install ## cargo fmt and clippy of the native core, and its tests beside Python's
	cd streams/native && cargo fmt --check && CARGO_TARGET_DIR=$(CURDIR)/.cache/native cargo clippy --all-targets -- -D warnings
	NATIVE_EXAMPLES=300 $(BIN)/pytest -m 'soak or not soak' tests/unit/streams/native

fuzz-native: install ## Damaged records through every reader of the native core, for ten minutes (SECONDS=60 for one)
	$(BIN)/python -m tests.fuzz.native $(or $(SECONDS),600)

wheels: ## Wheels of the native core, for machines without cargo: dist/ (manylinux2014; one for Python 3.11 and newer)
	$(PYTHON) -m venv .cache/wheels
	.cache/wheels/bin/pip install --quiet --disable-pip-version-check maturin==1.16.0 ziglang==0.17.1
	cd streams/native && PATH=$(CURDIR)/.cache/wheels/bin:$$PATH CARGO_TARGET_DIR=$(CURDIR)/.cache/native \
		maturin build --release --zig --compatibility manylinux2014 --out $(CURDIR)/dist

versions: install ## Every version of Python, Kafka and ClickHouse that can be had here; writes docs/versions.md (half an hour)
	$(BIN)/python -m tests.versions

sbom: install ## The bill of materials, CycloneDX, of everything that is installed: sbom.json
	$(PYTHON) -m venv .cache/sbom
	.cache/sbom/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	.cache/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o .cache/sbom/python.json $(BIN)/python
	$(BIN)/python -m deploy.sbom .cache/sbom/python.json > sbom.json

docs: install ## The documentation site, into build/site
	$(PYTHON) -m venv .cache/docs
	.cache/docs/bin/pip install --quiet --disable-pip-version-check -r tests/clients/docs.txt
	$(BIN)/python -m deploy.site.assemble build
	NO_MKDOCS_2_WARNING=1 .cache/docs/bin/mkdocs build --quiet --strict -f build/mkdocs.yml
	@echo "build/site/index.html"

clean: ## Remove what was installed and cached
	rm -rf $(VENV) node_modules .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
