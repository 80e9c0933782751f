# Two commands matter: `make reproduce` and `make test`. Each makes .venv when it is missing.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# How a study is run: again from nothing, or not at all, only its tables and figures.
HOW = $(if $(FORCE),--force,$(if $(TABLES),--tables))

# Scenes beside the checkout are used where they exist; the library knows no such path.
ifeq ($(origin LREN_TF_DATA),undefined)
  ifneq ($(wildcard ../shared/data),)
    export LREN_TF_DATA := $(abspath ../shared/data)
  endif
endif

.PHONY: help reproduce robust robust-study sensitivity ablation lambda seeds failures odds report test test-fast test-slow \
  coverage-fast guard lint \
  bench bench-all clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  FORCE=1 runs finished experiments again; TABLES=1 renders the results of a study that"
	@echo "  are there and runs nothing; PYTHON=python3.12 picks the interpreter."

$(STAMP): setup.cfg setup.py
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $(STAMP)

reproduce: $(STAMP) ## every method on the four scenes: tables, figures, report
	$(RUN) -m experiments.reproduce $(if $(FORCE),--force)

robust: $(STAMP) ## one setting for every scene, ten seeds, and what it was asked to reach
	$(RUN) -m experiments.robust $(HOW)

robust-study: $(STAMP) ## settings around the preset robust, on simulated and real scenes
	$(RUN) -m experiments.robust_study $(HOW)

sensitivity: $(STAMP) ## how settings that the paper does not give move its comparators
	$(RUN) -m experiments.sensitivity $(HOW)

ablation: $(STAMP) ## Table 1: what LREN loses without each of its parts
	$(RUN) -m experiments.table1_ablation $(HOW)

lambda: $(STAMP) ## Figure 3: both areas over λ, ten seeds
	$(RUN) -m experiments.figure3_lambda $(HOW)

seeds: $(STAMP) ## both presets with ten seeds on every scene
	$(RUN) -m experiments.seeds $(HOW)

failures: $(STAMP) ## why the same program detects with one seed and fails with another
	$(RUN) -m experiments.failure_analysis $(HOW)

odds: $(STAMP) ## LREN on two tables of the ODDS library, five seeds
	$(RUN) -m experiments.odds $(HOW)

report: $(STAMP) ## every table, figure and run on one page, experiments/report.html
	$(RUN) -m experiments.report

test: $(STAMP) ## run the tests, on up to four cores
	$(RUN) -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-fast: $(STAMP) ## the tests that cover nearly all lines in two minutes of two cores
	LREN_TF_FUZZ=0.1 $(RUN) -m pytest -m "not (slow or processes or data or long)" \
	  --numprocesses 2 --dist loadfile --durations=15

test-slow: $(STAMP) ## what is too long for the other two: ten times the random cases
	LREN_TF_FUZZ=10 $(RUN) -m pytest -m "long or hypothesis" --timeout 3600 \
	  --numprocesses auto --maxprocesses 4 --dist worksteal --durations=15

coverage-fast: $(STAMP) ## the lines that `make test` reaches and `make test-fast` misses
	$(RUN) -m tests.coverage_gap

guard: $(STAMP) ## record the weights and scores of tests/test_guard.py again, on purpose only
	TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	  $(RUN) -m tests.test_guard > tests/test_guard.json.new
	mv tests/test_guard.json.new tests/test_guard.json

lint: $(STAMP) ## check style, and that imports point down
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

bench: $(STAMP) ## measure solver, training step and LRX against their references
	$(RUN) -m benchmarks.solver
	$(RUN) -m benchmarks.training
	$(RUN) -m benchmarks.detectors

bench-all: bench ## also growth, memory, workers and what was tried; an hour of a quiet machine
	$(RUN) -m benchmarks.trials
	$(RUN) -m benchmarks.scaling
	$(RUN) -m benchmarks.memory
	$(RUN) -m benchmarks.distribution
	$(RUN) -m benchmarks.precision

clean: ## remove .venv and caches, keep results
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache
