# `make run` and `make test` do all the set-up themselves; a second call installs nothing.
# Windows without make: the same steps, spelled out, are in the README.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3

# pip's extra wheel folder, where there is one, serves uv too.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Compiled once here instead of on every start of every stage (mlflow: 6.0 s against 1.8 s to import).
export UV_COMPILE_BYTECODE ?= 1

.PHONY: setup run test check lock deps ui clean

# Only what the others install first: then `.venv/bin/elek --help`.
setup: $(VENV)/.stamp

run: $(VENV)/.stamp
	$(BIN)/elek run

test: $(VENV)/.stamp
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui: $(VENV)/.stamp
	$(BIN)/elek ui

$(VENV)/.stamp: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 15) else f'Elek needs Python 3.11 to 3.14, and $(PYTHON) is {v[0]}.{v[1]}; name another one: make PYTHON=python3.12')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

# Resolve anew for Linux, macOS and Windows. Only the export is committed: uv.lock spells out index addresses.
# torch stands alone and without a local version, so that a CPU build (2.13.0+cpu) satisfies it too.
lock:
	$(PYTHON) -m venv .cache/lock && .cache/lock/bin/python -m pip install --quiet uv
	env -u UV_FIND_LINKS .cache/lock/bin/uv lock --upgrade
	env -u UV_FIND_LINKS .cache/lock/bin/uv export --frozen --all-extras --all-groups --prune torch --no-hashes \
	    --no-emit-project --no-annotate --no-header --quiet -o requirements.lock
	printf 'torch==2.13.0\n' >> requirements.lock
	rm -f uv.lock

# Write into dvc.yaml which modules each stage imports.
deps: $(VENV)/.stamp
	$(BIN)/python -m stages._deps

clean:
	rm -rf $(VENV) .cache .ckpt .pytest_cache .mypy_cache .ruff_cache
