# Verbs, no logic. `make demo` and `make test` need only git, make and Python 3.11+ with venv.
PYTHON ?= python3
BIN := .venv/bin
# uv installs in half a minute what takes pip three; where it cannot, pip does, with the same pins
UV := $(shell command -v uv 2>/dev/null)
VENV := $(if $(UV),$(UV) venv -q --seed --python $(PYTHON),$(PYTHON) -m venv)
PIP := $(BIN)/python -m pip install -q -c requirements.lock
export MPLCONFIGDIR ?= $(CURDIR)/.venv/matplotlib
# nothing calls out unasked
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = true
QUIET_LAB := --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.news_url=None \
	--LabApp.extension_manager=readonly

help: ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/:/' | column -t -s:

demo: .venv/lab ## candles -> report, on the sample or on DATA=path (SYMBOL=, ZONE=, INSTRUMENT= where needed)
	@$(BIN)/smcdesk demo $(if $(DATA),--data '$(DATA)') $(if $(SYMBOL),--symbol $(SYMBOL)) \
		$(if $(ZONE),--zone $(ZONE)) $(if $(INSTRUMENT),--instrument $(INSTRUMENT))

test: .venv/dev ## everything CI runs, from nothing
	$(MAKE) --no-print-directory -O -j 2 lint alone
	$(MAKE) --no-print-directory notebooks
	$(BIN)/pytest -n 2

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/house/arrows.py
	$(BIN)/lint-imports
	cp requirements.lock .venv/requirements.lock
	$(LOCK) -o .venv/requirements.lock pyproject.toml
	diff requirements.lock .venv/requirements.lock

# A cache of their own: numba keeps kernels of notebook cells in IPython's, and does not see that a helper's cell changed.
notebooks: .venv/dev
	rm -rf .venv/cache && mkdir -p .venv/cache
	XDG_CACHE_HOME=$(CURDIR)/.venv/cache IPYTHONDIR=$(CURDIR)/.venv/cache $(BIN)/nbdev_test --n_workers 2 --do_print

alone: .venv/dev ## the library with nothing else installed
	$(PYTHON) -m venv --clear .venv/alone
	.venv/alone/bin/python -m pip install -q -c requirements.lock .
	.venv/alone/bin/python -I tests/house/alone.py

parity: .venv/dev ## a hundred thousand random trades through backtrader, two thousand through backtesting.py, each identical
	PARITY_TRADES=100000 BACKTESTING_TRADES=2000 $(BIN)/pytest -s tests/lab/test_parity.py tests/lab/test_backtesting.py

fingerprint: .venv/dev ## every tape read, decided and played: the same as what benchmarks/fingerprints.json says
	$(BIN)/python benchmarks/fingerprint.py --compare benchmarks/fingerprints.json

sync: .venv/dev ## format, clean and export the notebooks: the diff should be only yours
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/nbdev_clean
	$(BIN)/nbdev_export
	rm -rf src/smclab/__pycache__

ROOT_TOO := $(if $(filter 0,$(shell id -u)),--allow-root)

lab: .venv/dev ## JupyterLab on nbs, with this environment's kernel and papermill as scheduler; ARGS="--port 9000"
	$(BIN)/python -m ipykernel install --sys-prefix --name smclab --display-name smclab
	$(BIN)/jupyter lab $(QUIET_LAB) --Scheduler.execution_manager_class=smcdesk.services.jupyter.PapermillExecutor \
		$(ROOT_TOO) $(ARGS) nbs

ui: .venv/lab ## MLflow's pages on the runs tracked here
	$(BIN)/smcdesk ui

report: .venv/lab ## run one report template: NAME=replay_report SYMBOL=EURUSD, or NAME=rollout_report
	$(BIN)/smcdesk report run $(NAME) $(if $(SYMBOL),-p symbol $(SYMBOL))

lock: .venv/dev ## pin again after pyproject.toml changed
	$(LOCK) -o requirements.lock pyproject.toml

LOCK := $(BIN)/uv pip compile -q --all-extras --universal --python-version 3.11 --no-emit-index-url --no-header

.venv/bin/python:
	$(VENV) .venv
	$(if $(UV),,-$(PIP) uv)

.venv/lab .venv/dev: .venv/%: pyproject.toml requirements.lock | .venv/bin/python
	$(or $(UV),$(BIN)/uv) pip install -q --python $(BIN)/python -c requirements.lock -e '.[$*]' || $(PIP) -e '.[$*]'
	touch $@

.PHONY: help demo test lint notebooks alone parity fingerprint sync lab ui report lock
