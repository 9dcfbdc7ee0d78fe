# riskbench: everything from a fresh clone with Python 3.11 or later and make.
#
#   make demo    set up, run both main jobs on the embedded sample, print the pages
#   make test    set up, then lint, types, floors, notebooks and tests
#
# Another Python:  make test PYTHON=/path/to/python3.12
# Some tests only: make pytest ARGS="tests/rules -k ladder"

PYTHON  ?= python3
VENV    ?= .venv
OUT     ?= demo-out
JOBS    ?= 2
ARGS    ?=
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
# Every cell must run; those tagged nbval-check-output must give what is stored.
NBVAL   = --nbval-lax --nbval-current-env --nbval-cell-timeout=120 --nbval-sanitize-with tests/notebooks/sanitize.cfg

BIN     := $(VENV)/bin
PY      := $(BIN)/python
PIN     := -c constraints.txt
PIP     := $(PY) -m pip --disable-pip-version-check
SOURCES := pyproject.toml constraints.txt

# Whatever shell calls make, the tools below see only this environment.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS PYTHONSAFEPATH PYTHONOPTIMIZE
unexport PIP_USER PIP_TARGET PIP_PREFIX VIRTUAL_ENV CONDA_PREFIX JUPYTER_PATH JUPYTER_CONFIG_DIR
export PYTHONNOUSERSITE := 1
export MPLBACKEND := Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint format pytest bench studies docs course wheel pins clean distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.demo ## run both main jobs on the embedded sample and print the pages
	$(BIN)/riskbench demo --out $(OUT)

test: lint pytest ## lint, types, floors, notebooks and all tests

lint: $(VENV)/.test ## style, types and floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy riskbench
	$(BIN)/lint-imports

format: $(VENV)/.test ## let ruff write the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One run, so that its closing line counts everything; notebooks must run from top to bottom.
pytest: $(VENV)/.test ## tests, docstring examples and notebooks (ARGS="tests/rules -k ladder" for some)
	$(PY) -m pytest -q -n $(JOBS) --dist loadfile $(NBVAL) $(or $(ARGS),tests riskbench $(NOTEBOOKS))

STUDIES := $(patsubst %,benchmarks/%.py,maturity early_labels late_labels selective_labels books chosen_cut regions review_queue growth)

studies: $(VENV)/.test ## how often do the intervals hold the truth, on drawn histories whose truth is known
	@set -e; for file in $(or $(ARGS),$(STUDIES)); do echo "== $$file"; $(PY) $$file; done

bench: $(VENV)/.bench ## compare speed and memory with other libraries, side by side
	@set -e; for file in $(or $(ARGS),$(filter-out $(STUDIES),$(wildcard benchmarks/[a-z]*.py))); do echo "== $$file"; $(PY) $$file; done

docs: $(VENV)/.test ## write the reference, the pictures and the README's outputs anew
	$(PY) docs/reference.py
	$(PY) docs/pictures.py
	$(PY) docs/examples.py

course: $(VENV)/.test ## write the outputs of the notebooks anew (ARGS=notebooks/02_rules.ipynb for one)
	$(PY) docs/course.py $(ARGS)

wheel: $(VENV)/.test ## build the wheel into dist/
	$(PY) -m build --wheel --no-isolation --outdir dist .

# What the environment holds wins; pins of extras that are not installed here stay as they are.
pins: $(VENV)/.bench ## write constraints.txt anew from the environment in use
	{ $(PIP) freeze --exclude-editable; cat constraints.txt; } \
	  | awk -F '==' 'NF == 2 && !seen[tolower($$1)]++' | sort -f > constraints.new
	{ echo "# The versions that are tested together. Written by: make pins"; cat constraints.new; } > constraints.txt
	rm constraints.new

clean: ## remove what runs and builds left behind; the environment stays
	rm -rf $(OUT) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find riskbench tests benchmarks notebooks playbooks \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	  -prune -exec rm -rf {} +

distclean: clean ## remove the environment as well
	rm -rf $(VENV)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "riskbench needs Python 3.11 or later; name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "this Python cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SOURCES) | $(PY)
	$(PIP) install --quiet $(PIN) -e .
	@touch $@

$(VENV)/.test: $(SOURCES) | $(PY)
	$(PIP) install --quiet $(PIN) -e '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(SOURCES) | $(PY)
	$(PIP) install --quiet $(PIN) -e '.[test,bench]'
	@touch $@ $(VENV)/.test $(VENV)/.demo
