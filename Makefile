# Returpost. `make` lists what can be made; each target sets up all that it needs.

PYTEST_WORKERS ?= 4
ARGS ?=
SECONDS ?= 60
MINUTES ?= 60
REQUESTS ?= 200
SEED ?=
RESULTS ?=
FAULTS ?=
AUDIT = $(HOME)/.cache/returpost/audit

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit chaos soak fuzz sbom audit lint docs bench screenshots recordings clean venv

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

venv:
	@sh deploy/bootstrap.sh

demo: venv ## start everything, send mails and a mailing, show what became of them (ARGS=--once: end by itself)
	@.venv/bin/returpost demo $(ARGS)

test-unit: venv ## run the tests that need no server
	@.venv/bin/python -m pytest -n auto --dist worksteal -m unit $(ARGS)

test: venv ## run all tests (ARGS='-k name' for some of them)
	@.venv/bin/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(ARGS)

chaos: venv ## faults in random order under load, then every result accounted for (SEED=7 RESULTS=100000 FAULTS=40)
	@RETURPOST_CHAOS_SEED=$(SEED) RETURPOST_CHAOS_RESULTS=$(RESULTS) RETURPOST_CHAOS_FAULTS=$(FAULTS) \
		.venv/bin/python -m pytest -n 0 -s tests/pipeline/chaos/chaos.py -o python_files=chaos.py $(ARGS)

soak: venv ## half load for an hour: what must stay flat, as figures and a picture (MINUTES=60)
	@.venv/bin/python -m bench.soak --minutes $(MINUTES) --json soak.json --svg soak.svg $(ARGS)

fuzz: venv ## try strange inputs for a while (SECONDS=60 for each reader, REQUESTS=200 for each route)
	@RETURPOST_FUZZ_SECONDS=$(SECONDS) .venv/bin/python -m pytest -n $(PYTEST_WORKERS) tests/security/test_fuzz.py \
		--timeout 86400 $(ARGS)
	@RETURPOST_FUZZ_REQUESTS=$(REQUESTS) RETURPOST_FUZZ_SEED=$$(date +%s) .venv/bin/python -m pytest \
		-n $(PYTEST_WORKERS) tests/security/test_malformed.py -s --timeout 86400 $(ARGS)

sbom: venv ## the packages of the image, with versions and hashes, as CycloneDX into sbom.json
	@.venv/bin/python -m deploy.sbom > sbom.json

audit: venv ## hold the pinned packages against the database of known vulnerabilities, which needs the network
	@[ -x $(AUDIT)/bin/pip-audit ] || { .venv/bin/python -m venv $(AUDIT) && $(AUDIT)/bin/pip install -q pip-audit; }
	@for lock in requirements.lock deploy/requirements.lock; do \
		$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip -r $$lock || exit 1; done

lint: venv ## style, types, import contracts, declared dependencies, generated documents
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/deptry returpost shared services deploy
	@.venv/bin/deptry tests bench --ignore DEP002,DEP004
	@.venv/bin/python -m deploy.generate --check

docs: venv ## build the documentation site into site/, with links checked
	@NO_COLOR=1 .venv/bin/zensical build --strict

bench: venv ## run the benchmarks (ARGS='--scale 0.05' for a quick look)
	@for name in pipeline parse classify webhooks validate blocklist actions console; do \
		.venv/bin/python -m bench.$$name $(ARGS) || exit 1; done

screenshots: venv ## pictures of every page of the web page, into docs/screenshots/all
	@.venv/bin/python -m pytest tests/console/screenshots.py -o python_files=screenshots.py -k pictures $(ARGS)

recordings: venv ## two flows of the web page as moving pictures, into docs/screenshots
	@.venv/bin/python -m pytest tests/console/screenshots.py -o python_files=screenshots.py -k record $(ARGS)

clean: ## stop what runs here, and remove what was made
	@if [ -x .venv/bin/returpost ]; then .venv/bin/returpost down || exit 1; fi
	@rm -rf .venv .venv.lock .returpost .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
