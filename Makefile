# One name per action. `make test` is all a newcomer needs: it installs what is missing first.
SHELL := /bin/sh
PYTHON := .runtime/venv/bin/python
PYTEST := $(PYTHON) -m pytest
WORKERS ?= 2
# Tests wait for engines much of their time, so that two processes are faster than one on two cores as well. What shares
# engines or an instance stays in one process (tests/support/side_by_side.py). `make test WORKERS=0` runs one after the other.
PARALLEL := -n $(WORKERS) --dist loadscope --no-loadscope-reorder
# Where the time went: a run tells its slowest parts, so that it keeps its pace.
SLOWEST := --durations=15 --durations-min=1
# The real inputs of some tests: in the folder that KEYPOST_TEST_DATA names, else in a folder of data beside the checkout.
DATA := $(patsubst %/,%,$(dir $(firstword $(wildcard ../*/data/uk_small_events.csv.gz))))
ifneq ($(DATA),)
KEYPOST_TEST_DATA ?= $(abspath $(DATA))
export KEYPOST_TEST_DATA
endif
CHECKED := services shared deploy cli verifier tests bench

.PHONY: setup test test-fast test-long lint contracts bench requirements lock clean

setup: ## Python environment for development, Kafka's jars, a browser (and Java and Maven, as root on Debian and Ubuntu)
	@KEYPOST_SETUP=dev ./keypost

ifdef SERVICE
test: setup ## one service in seconds: SERVICE=claims its unit tests, ENGINES=1 its integration tests too
	$(PYTEST) --durations=5 -m "not long" tests/unit/$(SERVICE) $(if $(ENGINES),tests/integration/$(SERVICE))
else
test: setup ## everything but the long tests
	$(PYTEST) $(PARALLEL) $(SLOWEST) -m "not long"
endif

test-fast: setup ## what needs no engines
	$(PYTEST) $(SLOWEST) -m "not long and not engines" tests/unit tests/contracts tests/architecture

test-long: setup ## chaos and whole books; KEYPOST_TEST_DATA names the folder of the real inputs
	$(PYTEST) $(SLOWEST) -m long

lint: setup ## style, types and the rules between packages
	$(PYTHON) -m ruff check $(CHECKED)
	$(PYTHON) -m ruff format --check $(CHECKED)
	$(PYTHON) -m mypy
	.runtime/venv/bin/lint-imports --no-cache
	$(PYTHON) -m shared.contracts.compatibility

requirements: setup ## docs/requirements.md anew: what is asked, what of it stands, which tests prove it
	$(PYTHON) -m tests.support.requirements

lock: ## resolve requirements/*.in anew into hashed lists that name no index
	python3 -m venv .runtime/lock && .runtime/lock/bin/python -m pip install -q uv
	for list in runtime dev; do \
	  .runtime/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-annotate --no-header --no-emit-index-url --output-file requirements/$$list.lock requirements/$$list.in || exit 1; \
	done

clean: ## what can be made again; an instance's data in .keypost is left alone
	rm -rf .runtime .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

contracts: setup ## generate schemas, examples, AsyncAPI and OpenAPI anew, and refuse what would break a promise
	$(PYTHON) -m shared.contracts.generate
	$(PYTHON) -m shared.contracts.compatibility
	@mkdir -p docs/openapi; for service in registry tiering claims reporting; do \
	  $(PYTHON) -m services.$$service openapi > docs/openapi/$$service.json || exit 1; done

bench: setup ## throughput and latency against peers, printed as a table; more with `python -m bench --help`
	$(PYTHON) -m bench $(BENCH)
