# Each target builds its own .venv and needs nothing but Python 3.11 to 3.13, make and a C compiler.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# As many processes test side by side as there are cores: threads of BLAS would only wait for each other.
export OPENBLAS_NUM_THREADS ?= 1
# pip would compile all modules by one process. What is left out here is large, and little of it is imported.
INSTALL = $(BIN)/python -m pip install --quiet --no-compile
COMPILE = $(BIN)/python -m compileall -qq -j 0 -x '/(torch|sympy|scipy|tests?)/' $(VENV)/lib || true

.PHONY: coverage demo docs environments other-environments links test test-slow test-versions lint table reproduce clean

demo: $(VENV)/.installed
	$(BIN)/python scripts/demo.py

test: $(VENV)/.developed
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: $(VENV)/.developed
	$(BIN)/python -m pytest -n auto

# Lines and branches of the library that the quick tests reach, in the processes that they start too; the page is
# build/coverage/index.html. Not by --cov: the plugin of the contract suite is imported before that begins.
coverage: $(VENV)/.developed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto -m "not slow" -q
	$(BIN)/coverage combine -q
	$(BIN)/coverage html -q -d build/coverage
	$(BIN)/python scripts/coverage_table.py

# A short suite on the other versions of Python and NumPy that are promised, where they are installed.
test-versions: | $(VENV)/bin/python
	$(BIN)/python scripts/test_versions.py

# What the others need from package indices: this environment, and those of test-versions.
environments: $(VENV)/.developed other-environments

other-environments: | $(VENV)/bin/python
	$(BIN)/python scripts/test_versions.py --prepare

lint: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests scripts examples

# The documentation as a site, in build/site; every example of the gallery is run.
docs: $(VENV)/.documented
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/site
	$(BIN)/python scripts/check_site.py build/site
	@echo "open build/site/index.html"

# The links of the documentation to other sites, which needs a network and is no part of CI.
links: $(VENV)/.documented
	$(BIN)/python -m sphinx -q -b linkcheck -d build/doctrees docs build/links

# The table of features in docs/agreement.md, from a run of the contract suite.
table: $(VENV)/.developed
	$(BIN)/python scripts/feature_table.py

# results/, docs/learning.md, docs/comparison.md, docs/harder-proofs.md and their figures; see REPRODUCING.md.
reproduce: $(VENV)/.learning
	$(BIN)/python scripts/reproduce.py
	$(BIN)/python scripts/reparameterization.py
	$(BIN)/python scripts/comparison.py
	$(BIN)/python scripts/authors.py
	$(BIN)/python scripts/harder_proofs.py

# A new environment has no setuptools from Python 3.12 on, and an old one before; it builds the sdist.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$@ -m pip install --quiet 'setuptools >= 70.1'

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --editable .
	$(COMPILE)
	touch $@

$(VENV)/.learning: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[torch]'
	-$(BIN)/python -m pip install --quiet --editable '.[baselines]' # without these, their tasks are named and left out
	-$(BIN)/python -m pip install --quiet --no-deps 'neurogym >= 2.3' && $(BIN)/python -m pip install --quiet natsort pydantic-settings loguru tomlkit
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(INSTALL) --editable '.[dev]'
	$(COMPILE)
	touch $@

$(VENV)/.documented: $(VENV)/.installed
	$(INSTALL) --editable '.[docs]'
	$(COMPILE)
	touch $@

# Both in one go, for .ci/run.
$(VENV)/.complete: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --editable '.[dev,docs]'
	$(COMPILE)
	touch $(VENV)/.installed $(VENV)/.developed $(VENV)/.documented $@

clean:
	rm -rf docs/gallery docs/catalogue docs/jupyter_execute $(VENV) .venvs build dist *.egg-info demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
