# make setup     makes .venv with the package and its extras for the tests
# make demo      runs every step on a small text, from tokenize to embed; CORPUS=file uses your own text
# make test      runs ruff, mypy and the tests, except the exhaustive ones: about half an hour on two cores
# make test-all  runs what `make test` runs, then the exhaustive tests: grids over every combination of settings
# make soak      runs the tests that take an hour: kills, changed files and long runs; FUZZ=n changes n files of each kind
# make docs      builds the pages of docs/ as a site, in site/
# make matrix    runs the tests on each Python of PYTHONS, with the oldest and with the newest versions of the dependencies
# make clean     removes the environments, the folder of the demo and the site
#
# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORPUS ?=
LANGUAGE ?= en
FUZZ ?= 40000
# number of test processes, each with a TensorFlow of its own, which grows to five gigabytes
WORKERS ?= 2
# a file's tests stay in one process, which makes what they share once
# memory that one thread has freed serves the others: with an arena for each thread a process takes more
PYTEST := MALLOC_ARENA_MAX=2 $(BIN)/python -m pytest -n $(WORKERS) --dist=loadfile

# the interpreters of `make matrix`; those that are not installed are left out
PYTHONS ?= python3.11 python3.12 python3.13

.PHONY: setup demo test test-all soak check docs matrix clean

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

# in two parts, each with processes of its own, because Keras and TensorFlow keep some memory of each model for good
KERAS_TESTS := tests/elmo tests/interop tests/examples tests/benchmarks

test: check
	$(PYTEST) -m 'not exhaustive and not soak' $(KERAS_TESTS)
	$(PYTEST) -m 'not exhaustive and not soak' $(KERAS_TESTS:%=--ignore=%)

test-all: test
	$(PYTEST) -m 'exhaustive and not soak'

soak: setup
	ELMO_TF_FUZZ=$(FUZZ) $(BIN)/python -m pytest -s -m soak tests/reliability

docs: setup
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	$(BIN)/mkdocs build --strict

matrix:
	@set -e; for python in $(PYTHONS); do \
	  command -v $$python > /dev/null || { echo "$$python is not installed"; continue; }; \
	  for versions in oldest newest; do \
	    echo "== $$python, $$versions versions"; \
	    rm -rf .matrix/$$python-$$versions; \
	    $$python -m venv .matrix/$$python-$$versions; \
	    : > .matrix/constraints.txt; \
	    if [ $$versions = oldest ]; then $$python tests/oldest_versions.py > .matrix/constraints.txt; fi; \
	    .matrix/$$python-$$versions/bin/python -m pip install --quiet -c .matrix/constraints.txt -e '.[test]'; \
	    .matrix/$$python-$$versions/bin/python -m pytest -n $(WORKERS) --dist=loadfile; \
	  done; \
	done

clean:
	rm -rf $(VENV) .matrix demo site
