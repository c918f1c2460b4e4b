# Everything a newcomer needs: `make demo` and `make test` set up what they use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOMS := errors geometry media records worlds reconstruction datasets learning tasks app server
STATIC := src/sightline/server/static/index.html

.PHONY: demo test lint serve bench docs setup clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   render a building, map it, train, localise, open the report"
	@echo "make test   run the tests        make lint   format, lint, types, import layers"
	@echo "make serve  the demo's dashboard make bench  run the benchmarks"
	@echo "make docs   check the documents, build the API reference"

setup: .stamp-system .stamp-python $(STATIC)

.stamp-system: tools/system_packages.sh
	bash tools/system_packages.sh
	@touch $@

.stamp-python: pyproject.toml constraints.txt | .stamp-system
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

web/node_modules: web/package.json web/package-lock.json | .stamp-system
	cd web && npm ci --no-audit --no-fund --silent
	@touch $@

$(STATIC): web/node_modules $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)
	cd web && npm run --silent build
	@touch $@

demo: setup
	$(BIN)/sightline demo demo $(DEMO_FLAGS)

test: setup
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: .stamp-python
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: setup
	$(BIN)/sightline serve demo/place

bench: setup
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || [ $$? -eq 2 ] || exit 1; done

docs: setup
	$(BIN)/python -m pytest tests/docs -q
	$(BIN)/pdoc --docformat google --output-directory docs/_site sightline $(addprefix sightline.,$(ROOMS))
	@echo "API reference: docs/_site/index.html"

clean:
	rm -rf $(VENV) .stamp-* web/node_modules demo bench-results
