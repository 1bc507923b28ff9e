# Every command of the README. Stages run in .venv, made from requirements.lock when it is missing or older.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export DO_NOT_TRACK = true
export MLFLOW_TRACKING_URI ?= sqlite:///$(CURDIR)/mlflow.db
export PREFECT_HOME ?= $(CURDIR)/.prefect
export PREFECT_SERVER_ANALYTICS_ENABLED = false
UI_PORT ?= 5000
SERVER ?= http://127.0.0.1:4200/api

.PHONY: demo setup repro refresh register rollback reference lint test ui server worker lock

demo: setup  ## run the pipeline by the Prefect flow
	$(BIN)/python -m flows.rebalance

setup: .venv/installed  ## install what requirements.lock names

# --no-deps: the lock is complete, and pip 23 would look for sqlalchemy[asyncio] beyond the sqlalchemy pinned there.
.venv/installed: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing requirements.lock into .venv (about 2 GB, some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

repro: refresh  ## run the same stages by DVC
	$(BIN)/dvc repro

refresh: setup  ## list the source anew, so that DVC notices new data
	$(BIN)/python -m tasks.sources.listing

register: setup  ## put the generator into the MLflow registry under the verdict
	$(BIN)/python -m tasks.register

rollback: setup  ## the champion before this one takes its place again
	$(BIN)/python -m tasks.rollback

reference: setup  ## write docs/parameters.md from the sections in tasks/core/params
	$(BIN)/python -m tasks.support.reference

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

ui: setup  ## runs, curves, pictures and registered generators on http://127.0.0.1:5000
	$(BIN)/mlflow ui --host 127.0.0.1 --port $(UI_PORT)

server: setup  ## a Prefect server on http://127.0.0.1:4200
	$(BIN)/prefect server start --host 127.0.0.1 --port 4200

worker: export PREFECT_API_URL = $(SERVER)
worker: setup  ## deploy the schedule to that server and execute it
	$(BIN)/prefect work-pool create equipoise --type process --overwrite
	$(BIN)/prefect --no-prompt deploy --all
	$(BIN)/prefect worker start --pool equipoise --type process

lock: setup  ## compile requirements.lock; needs uv, writes no package index address
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --quiet --no-emit-index-url -o requirements.lock
