# Every target works from a fresh clone: the environment is made from the locked dependencies when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint evals bench lock browser

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 12

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Rapport needs Python 3.11 or newer; install it or set PYTHON=/path/to/python3.11."; exit 1; }
	@echo "Installing the locked dependencies (the first time takes a minute or two)..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(STAMP)

demo: $(STAMP)  ## Load a generated company, serve it, ask three questions (ONCE=1 ends after the answers)
	@$(BIN)/rapport demo $(if $(filter 1,$(ONCE)),--once,)

serve: $(STAMP)  ## Serve HTTP and the chat page
	@$(BIN)/rapport serve

test: $(STAMP)  ## Everything CI runs: lint, types, import contracts, tests, evaluations with their floors
	@scripts/check

lint: $(STAMP)  ## Style, types and import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

evals: $(STAMP)  ## Evaluations: table in the terminal, page in build/evals
	@$(BIN)/python -m evals.run
	@$(BIN)/python -m evals.maven
	@$(BIN)/python -m evals.dates
	@$(BIN)/python -m evals.writes
	@$(BIN)/python -m evals.notes
	@$(BIN)/python -m evals.attacks

bench: $(STAMP)  ## Benchmarks on a large generated company
	@$(BIN)/python -m evals.bench

lock: $(STAMP)  ## Resolve the dependencies anew
	@$(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --upgrade --quiet -o requirements.lock
