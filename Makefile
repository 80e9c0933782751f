# Two commands matter: `make reproduce` and `make test`. Each makes .venv when it is missing.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# The lowest Python that setup.cfg promises, and where its environment goes.
OLDEST_PYTHON ?= python3.10
OLDEST ?= .venv-oldest
# How a study runs: again from nothing, or not at all, only its tables and figures.
HOW = $(if $(FORCE),--force,$(if $(TABLES),--tables)) $(if $(JOBS),--processes $(JOBS))

# Scenes beside the checkout are used where they exist; the library knows no such path.
ifeq ($(origin LREN_TF_DATA),undefined)
  ifneq ($(wildcard ../shared/data),)
    export LREN_TF_DATA := $(abspath ../shared/data)
  endif
endif

.PHONY: help reproduce reproduce-all figures accept robust evidence evidence-choice implants robust-study training-bound \
  sensitivity comparators recent-methods ablation lambda seeds failures odds report test test-fast test-slow \
  test-oldest coverage-fast guard lint docs bench bench-all dist clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Results go to results/, which git ignores; make accept alone changes committed ones."
	@echo "  FORCE=1 runs finished experiments again; TABLES=1 renders finished ones and runs nothing;"
	@echo "  JOBS=4 runs four at a time; PYTHON=python3.12 picks the interpreter."

$(STAMP): setup.cfg setup.py
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $(STAMP)

reproduce: $(STAMP) ## the tables of the paper, one seed, verified: about 20 minutes
	$(RUN) -m experiments.reproduce $(HOW)

reproduce-all: $(STAMP) ## also every seed, Table 1, Figure 3, sensitivity, ODDS: most of a day
	$(RUN) -m experiments.reproduce --all $(HOW)

figures: $(STAMP) ## every committed table and figure again, in results/committed
	$(RUN) -m experiments.rendering.everything

report: figures ## every committed table, figure and run on one page, results/committed/report.html

accept: $(STAMP) ## copy verified results into the committed ones and render these
	$(RUN) -m experiments.accept $(if $(UNCHECKED),--unchecked)

robust: $(STAMP) ## the preset robust with ten seeds on every scene, and its targets
	$(RUN) -m experiments.studies.robust $(HOW)

evidence: $(STAMP) ## the preset robust on eleven scenes, the contribution of each evidence, other detectors
	$(RUN) -m experiments.studies.evidence $(HOW)

evidence-choice: $(STAMP) ## how the settings of the evidence were chosen; after make evidence
	$(RUN) -m experiments.studies.evidence_choice $(HOW)

implants: $(STAMP) ## the preset robust on targets of one scene implanted into another
	$(RUN) -m experiments.studies.implants $(HOW)

robust-study: $(STAMP) ## variants of the settings of robust, on simulated and real scenes
	$(RUN) -m experiments.studies.robust_study $(HOW)

training-bound: $(STAMP) ## how many steps robust needs on scenes of many pixels and materials
	$(RUN) -m experiments.studies.training_bound $(HOW)

sensitivity: $(STAMP) ## how the results of the comparison methods depend on unpublished settings
	$(RUN) -m experiments.studies.sensitivity $(HOW)

comparators: $(STAMP) ## ADLR and PAB_DC with one rule for all scenes, against the released methods
	$(RUN) -m experiments.studies.comparators $(HOW)

recent-methods: $(STAMP) ## KIFD, Auto-AD and PCA-TLRSR against their published figures
	$(RUN) -m experiments.studies.recent_methods $(HOW)

ablation: $(STAMP) ## Table 1: what LREN loses without each of its parts
	$(RUN) -m experiments.studies.ablation $(HOW)

lambda: $(STAMP) ## Figure 3: both areas over λ, ten seeds
	$(RUN) -m experiments.studies.lambda_path $(HOW)

seeds: $(STAMP) ## both presets with ten seeds on every scene
	$(RUN) -m experiments.studies.seeds $(HOW)

failures: $(STAMP) ## why the same program detects with one seed and fails with another
	$(RUN) -m experiments.studies.failures $(HOW)

odds: $(STAMP) ## LREN on two tables of the ODDS library, five seeds
	$(RUN) -m experiments.studies.odds $(HOW)

test: $(STAMP) ## run the tests, on up to four cores
	LREN_TF_FUZZ=0.1 $(RUN) -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal \
	  --durations=20

test-fast: $(STAMP) ## the tests that cover nearly all lines in two minutes of two cores
	LREN_TF_FUZZ=0.1 $(RUN) -m pytest -m "not (slow or processes or data or long)" \
	  --numprocesses 2 --dist loadfile --durations=15

test-slow: $(STAMP) ## the longest tests, and ten times the random cases
	LREN_TF_FUZZ=10 $(RUN) -m pytest -m "long or hypothesis" --timeout 3600 \
	  --numprocesses auto --maxprocesses 4 --dist worksteal --durations=15

test-oldest: $(STAMP) ## the fast tests with the lowest versions of setup.cfg, in .venv-oldest
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(RUN) -m tests.oldest > $(OLDEST)/requirements.txt
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(OLDEST)/bin/python -m pip install --quiet -r $(OLDEST)/requirements.txt
	LREN_TF_FUZZ=0.1 PYTHONPATH=. $(OLDEST)/bin/python -m pytest \
	  -m "not (slow or processes or data or long)"

coverage-fast: $(STAMP) ## the lines that `make test` reaches and `make test-fast` misses
	$(RUN) -m tests.coverage_gap

guard: $(STAMP) ## record the weights and scores of tests/test_guard.py again, on purpose only
	TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	  $(RUN) -m tests.test_guard > tests/test_guard.json.new
	mv tests/test_guard.json.new tests/test_guard.json

lint: $(STAMP) ## check style, types, and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy --python-version 3.10
	$(VENV)/bin/mypy --python-version 3.13

docs: $(STAMP) ## build the documentation site, build/site/index.html: minutes the first time
	$(RUN) -m experiments.rendering.site.pictures
	$(RUN) -m experiments.rendering.site.notebooks
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

bench: $(STAMP) ## measure solver, training step, LRX and RX against their references
	$(RUN) -m benchmarks.solver
	$(RUN) -m benchmarks.training
	$(RUN) -m benchmarks.robust
	$(RUN) -m benchmarks.detectors
	$(RUN) -m benchmarks.rx

bench-all: bench ## also growth, memory, large scenes, workers, trials; takes hours on a quiet machine
	$(RUN) -m benchmarks.trials
	$(RUN) -m benchmarks.scaling
	$(RUN) -m benchmarks.memory
	$(RUN) -m benchmarks.small_scenes
	$(RUN) -m benchmarks.large_scenes
	$(RUN) -m benchmarks.granule
	$(RUN) -m benchmarks.distribution
	$(RUN) -m benchmarks.precision
	$(RUN) -m benchmarks.batch

dist: $(STAMP) ## build wheel and sdist into dist/, and check them for the package index
	rm -rf dist
	$(RUN) -m build --no-isolation
	$(RUN) -m twine check --strict dist/*

clean: ## remove .venv and caches, keep results
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
