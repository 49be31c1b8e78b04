# Two commands do everything: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SLOW ?=

.PHONY: help install demo test test-slow coverage lint format docs clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

install: $(STAMP) ## make the virtual environment and install the pinned packages

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install ## train, compress, write, load, run and measure two small networks
	$(BIN)/gossamer demo

test: install ## the fast tests, in two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: install ## the slow tests; SLOW=<pytest options> narrows them
	$(BIN)/python -m pytest -m slow $(SLOW)

coverage: install ## remove channels from 242 networks (needs torchvision and timm); resumes
	$(BIN)/python benchmarks/channel_coverage.py

lint: install ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/pyright
	$(BIN)/lint-imports

format: install ## let ruff format and fix what it can
	$(BIN)/ruff format src tests
	$(BIN)/ruff check --fix src tests

docs: install ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean: ## remove the virtual environment and everything built
	rm -rf $(VENV) site build dist demo-output .pytest_cache .ruff_cache .hypothesis
