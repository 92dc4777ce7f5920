# Every target does its own set-up: python3 (3.11 or newer) with its venv module, make and git are enough.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
PAGE_READY := $(VENV)/.page-ready
ROUNDS ?= 20
SECONDS ?= 60
SEEDS ?= 0-1999

.PHONY: help setup demo test unit simulate mutate live chaos linearizable page lint format check bench bench-serf snapshots growth failover gossip-scale reference clean

help:           ## Show the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY) ## Create .venv and install the dependencies

$(READY): pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Quorate needs Python 3.11 or newer: run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV) \
		|| { echo "cannot create $(VENV): on Debian install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@echo "installing the dependencies into $(VENV) (once) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(RUN) -c 'from bench.needs import compile_modules; compile_modules()'
	@touch $@

demo: $(READY)  ## Three servers, a killed leader, nothing lost: the main job, in under a minute
	@$(RUN) scripts/demo.py

test: $(READY)  ## Run all tests
	@$(RUN) -m pytest

unit: $(READY)  ## Run the unit tests alone
	@$(RUN) -m pytest tests/unit

simulate: $(READY) ## Thousands of simulated runs with every fault: SEEDS=0-1999
	@$(RUN) -m tests.simulation --seeds $(SEEDS)

mutate: $(READY) ## Switch each part of the guard off in turn: all of them have to be found out (10 minutes)
	@$(RUN) -m tests.simulation.mutate

chaos: $(READY) ## The chaos tests for long: ROUNDS=20 rounds of each story
	@QUORATE_CHAOS_ROUNDS=$(ROUNDS) $(RUN) -m pytest tests/chaos -m chaos -rP

live: $(READY)  ## All stories of real servers, also the long ones that make test leaves out (12 minutes)
	@$(RUN) -m pytest tests/cluster tests/chaos -m "cluster or chaos"

linearizable: ROUNDS = 30
linearizable: $(READY) ## Chaos on real servers under the linearizability checker: ROUNDS=30 of SECONDS=60
	@$(RUN) -m tests.chaos --rounds $(ROUNDS) --seconds $(SECONDS)

page: $(PAGE_READY) ## The status page in a real Chromium (Debian: chromium and chromium-driver), in two minutes
	@$(RUN) -m tests.page.needs
	@$(RUN) -m pytest tests/page -m page

lint: $(READY)  ## Style and types
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy .

format: $(READY) ## Put the code into the project's format
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

check: lint test ## What has to pass before a change lands

bench: $(BENCH_READY) ## Compare with etcd and raw PySyncObj on this machine (a quarter of an hour), into docs/ and the README
	@$(RUN) -m bench.needs
	@$(RUN) -m bench.compare --idle-seconds 30 --out docs

bench-serf: $(BENCH_READY) ## Compare the membership with Debian's serf (25 minutes), into docs/ and the README
	@$(RUN) -m bench.serf --out docs

failover: $(BENCH_READY) ## Time failovers of Quorate and etcd (5 minutes), into docs/ and the README
	@$(RUN) -m bench.needs
	@$(RUN) -m bench.failover

growth: $(BENCH_READY) ## Five million puts: does anything grow for ever? (10 minutes), into docs/
	@$(RUN) bench/growth.py --out docs/growth

snapshots: $(READY) ## A million keys: stalls and times of snapshots made, sent and restored (3 minutes)
	@$(RUN) -m bench.snapshots

gossip-scale: $(READY) ## Gossip of up to 3,000 simulated members: detection, load, dissemination (20 minutes), into docs/
	@$(RUN) -c 'import matplotlib' 2>/dev/null \
		|| $(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(RUN) -m tests.membership

$(BENCH_READY): $(READY)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(PAGE_READY): $(READY)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[page]'
	@touch $@

reference: $(READY) ## Make the references of commands, configuration, HTTP and metrics anew, in docs/
	@$(RUN) -m scripts.reference

clean:          ## Remove the virtual environment and what the tools left
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
