# Everything from a bare clone. All it takes is make and Python 3.11 or newer: each target first installs what it needs
# into .venv, at the versions of constraints.txt. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
# On one thread each, and waiting asleep: contending threads can be ten times slower than one.
SERIAL := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test lint bench mutants reproduce

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## install into .venv, and nothing else

demo: $(INSTALLED) ## SCAN in minutes: train it, print its ledger and the path of its report
	$(BIN)/phantastic run scan --preset quick

test: $(INSTALLED) ## all tests but the ones of `make reproduce`
	$(SERIAL) $(BIN)/python -m pytest -m "not reproduce" -n 2 --dist loadfile

lint: $(INSTALLED) ## ruff, and pyright on src
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright src

bench: $(INSTALLED) ## speed, side by side with what a user would pick instead
	set -e; for each in benchmarks/*.py; do echo "== $$each"; $(BIN)/python "$$each"; done

mutants: $(INSTALLED) ## small modules spoilt line by line: tests must catch nine in ten (ten minutes)
	$(PIP) -e ".[mutation]"
	$(SERIAL) $(BIN)/mutmut run > mutants.log
	$(BIN)/mutmut results
	$(BIN)/mutmut export-cicd-stats
	$(BIN)/python -c 'import json; s = json.load(open("mutants/mutmut-cicd-stats.json")); print(s["killed"], "of", s["total"], "caught"); raise SystemExit(s["killed"] < 0.9 * s["total"])'

reproduce: $(INSTALLED) mutants ## the heavy tests, and every study at its full preset (hours)
	$(SERIAL) $(BIN)/python -m pytest -m reproduce --timeout 0
	set -e; for study in $$($(BIN)/python -c 'from phantastic.declare.study import register; print(*register())'); do \
	    $(BIN)/phantastic run $$study --preset full; done
	$(BIN)/phantastic ledger

# PyTorch first and by itself: it is by far the largest, and a broken download then costs nothing else.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { echo "there is no '$(PYTHON)' here; install Python 3.11 or newer, or name yours: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "phantastic needs Python 3.11 or newer; %s is %s. Name another: make PYTHON=python3.12" % (sys.executable, sys.version.split()[0]))'
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[dev]"
	@touch $@
