# make setup   makes .venv with the package and its extras for the tests
# make demo    runs every step on a small text, from tokenize to embed; CORPUS=file uses your own text
# make test    runs ruff, mypy and the tests
# make clean   removes .venv and the folder of the demo
#
# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORPUS ?=
LANGUAGE ?= en
# number of test processes, each with a TensorFlow of its own of about a gigabyte
WORKERS ?= 2

.PHONY: setup demo test check clean

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
	$(BIN)/python -m pytest -n $(WORKERS) --dist=worksteal

clean:
	rm -rf $(VENV) demo
