# make setup   .venv with the package and its test extras
# make demo    the whole way on a small text: tokenize, vocab, train, evaluate, convert, embed; CORPUS=file takes your own
# make test    the checks and the tests, but for the exhaustive ones
# make test-all  what `make test` does, then the exhaustive tests: grids over every combination of settings
# make clean   removes .venv and what the demo made
#
# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORPUS ?=
LANGUAGE ?= en
# test processes; each holds up to three gigabytes
WORKERS ?= 2
# a file's tests stay in one process, which makes what they share once
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist=loadfile

.PHONY: setup demo test test-all check clean

setup: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test]'
	touch $@

demo: setup
	$(BIN)/python examples/demo.py --output_dir=demo --language=$(LANGUAGE) $(if $(CORPUS),--corpus='$(CORPUS)')

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(PYTEST) -m 'not exhaustive'

test-all: test
	$(PYTEST) -m exhaustive

clean:
	rm -rf $(VENV) demo
