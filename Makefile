# The two commands: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/sh
BIN := .venv/bin
export PREFECT_HOME := $(CURDIR)/.prefect
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
# In a hook they name the hook's repository, which need not be this one.
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_PREFIX

# `make ui PORT=5050`: where a page is, from the command line alone; others leave a PORT in the environment.
port = $(if $(findstring command line,$(origin PORT)),$(PORT),$(1))

.DEFAULT_GOAL := help
.PHONY: help run test test-runs test-services gpu-check bench accept ui prefect-ui demo serve register services services-status services-stop env \
	services-save services-restore repository venv schema lock

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: repository venv ## set up, run the whole pipeline; RECIPE=name and SET="key=value ..." change settings first
	@$(BIN)/python -m flows.pipeline $(if $(RECIPE),--recipe $(RECIPE)) $(SET)

test: repository venv ## set up, run the linters and the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --no-loadscope-reorder

test-runs: repository venv ## the tests that run whole pipelines for minutes: by DVC, killed and resumed, every method, studies
	$(BIN)/pytest --numprocesses 2 --no-loadscope-reorder -m runs

test-services: venv ## the tests that start the real services; they need PostgreSQL
	$(BIN)/pytest -m services tests/services

register: venv ## gate and register what `dvc repro` made
	@$(BIN)/python -m pipelines.register

accept: repository venv ## let DVC take a change of words, or say what a change runs again
	@$(BIN)/python -m pipelines.accept

ui: venv ## the MLflow UI on what has been run, http://127.0.0.1:5000 or another PORT
	@$(BIN)/python -m pipelines.records.moved_store mlflow.db
	$(BIN)/mlflow ui --backend-store-uri "sqlite:///$(CURDIR)/mlflow.db" --host 127.0.0.1 --port $(call port,5000) --workers 1

demo: venv ## a page with the methods side by side, http://127.0.0.1:7860 or another PORT
	@$(BIN)/python -m pipelines.demo --port $(call port,7860)

serve: venv ## the champion over HTTP, http://127.0.0.1:5001/invocations or another PORT
	@$(BIN)/python -m pipelines.serve --port $(call port,5001)

gpu-check: venv ## correctness and speed on the device that is there, at most 8 minutes; findings in the folder OUT
	@$(BIN)/python -m benchmarks.gpu_check $(if $(OUT),--out "$(OUT)")

bench: venv ## the ratios that have a bar, and which of them hold; a few minutes, on a machine that does nothing else
	@$(BIN)/python -m benchmarks.ratios

prefect-ui: venv ## the Prefect pages on what has been run, http://127.0.0.1:4200 or another PORT
	PREFECT_API_URL=http://127.0.0.1:$(call port,4200)/api PREFECT_SERVER_UI_API_URL=/api \
	    $(BIN)/prefect server start --host 127.0.0.1 --port $(call port,4200) </dev/null

services: venv ## PostgreSQL, S3, MLflow, Prefect and a worker on this machine; returns when they answer
	@$(BIN)/python -m infra.services start

services-status: venv ## which of them answer
	@$(BIN)/python -m infra.services status

services-stop: venv ## stop them; nothing is lost
	@$(BIN)/python -m infra.services stop

env: venv ## make .env alone, for infra/compose
	@$(BIN)/python -m infra.services env

services-save: venv ## back up what they keep to the folder TO
	@$(BIN)/python -m infra.services save "$(TO)"

services-restore: venv ## bring back the backup in the folder FROM
	@$(BIN)/python -m infra.services restore "$(FROM)"

repository:
	@said=$$(git rev-parse --verify HEAD 2>&1) || { echo "$$said" >&2; echo "Every figure is traced to a commit, and DVC needs git \
	too. Clone the project rather than download it, or: git init && git add --all && git commit -m Start" >&2; exit 1; }

venv: ## make .venv from requirements.lock if it is missing or out of date
	@cmp -s requirements.lock .venv/requirements.lock || sh infra/make-venv.sh
	@$(BIN)/python infra/relocatable.py $(BIN) # and of an environment that was moved since

schema: venv ## make params.schema.json and the tables of docs/methods.md anew from the settings and the components
	@$(BIN)/python -m pipelines.params
	@$(BIN)/python -m fm.component_tables docs/methods.md

lock: venv ## make requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command 'make lock' --quiet --output-file requirements.lock
