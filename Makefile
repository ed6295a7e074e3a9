# make run | test | check | bench | load      (Python >= 3.11 and make are all you need)
.DEFAULT_GOAL := help
.PHONY: help run test check format bench bench-check bench-estimator bench-qoe load drills attack audit sbom docs docs-build reference lock clean
SHELL := /bin/sh
PORT ?= 8080
DOCS_PORT ?= $(if $(filter command environment,$(firstword $(origin PORT))),$(PORT),8000)
BIN := .venv/bin

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

run: .venv/.runtime ## install what is needed and start the demo on http://127.0.0.1:$(PORT)
	@exec $(BIN)/gateway demo --port $(PORT)

# Python keeps what it compiles; otherwise each process would compile the tests' modules again.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/.dev ## run the whole suite
	@sh scripts/test.sh

check: .venv/.dev ## formatting, lint, types, architecture rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/bandit -q -c pyproject.toml -ll -r gateway manifests geodata demo

load: .venv/.dev ## 60 s load test of a new server, checked against objectives (LOAD_SECONDS= sets the time)
	@$(BIN)/python -m tests.load

drills: .venv/.dev ## failure drills: break each part while players ask (DRILL=edge-killed: only one, live)
	@$(BIN)/python -m tests.drills $(DRILL)

attack: .venv/.dev ## attack the gateway in every way: a table, 100,000 requests (ATTACK= names rows, sets options)
	@$(BIN)/python -m tests.attack $(ATTACK)

audit: .venv/.dev ## known vulnerabilities of what is installed at run time (needs a vulnerability service)
	@$(BIN)/python -m scripts.audit

sbom: .venv/.dev ## write build/sbom.cdx.json: every package that is installed at run time, with hashes
	@$(BIN)/python -m scripts.sbom

bench: .venv/.dev ## benchmark: requests/s and CPU per request, compared with other servers in the same run
	@$(BIN)/python -m tests.benchmark.bench --json build/bench.json

bench-check: bench ## the benchmark, failing when a ratio is 15 % worse than the committed one
	@$(BIN)/python -m tests.benchmark.guard build/bench.json

bench-estimator: .venv/.dev ## estimates of the speed, replayed on recorded traces (TRACES= names their folder)
	@$(BIN)/python -m tests.benchmark.bench_estimator $(TRACES)

bench-qoe: .venv/.dev ## start-up, stalls and bit rate in a browser, over emulated networks (QOE= sets options)
	@$(BIN)/python -m tests.benchmark.bench_qoe --svg build/qoe.svg $(QOE)

format: .venv/.dev ## format the code and fix lint findings
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.venv/.runtime: requirements/runtime.txt pyproject.toml scripts/install.sh demo/player.py
	@sh scripts/install.sh runtime

.venv/.dev: requirements/dev.txt .venv/.runtime
	@sh scripts/install.sh dev

# The pages of the repository as a site. A link that leads nowhere, or a page that the navigation
# lacks, is an error.
docs: docs-build ## build the documentation as a site and show it on http://127.0.0.1:$(DOCS_PORT)/ (Ctrl-C ends it)
	@echo "the documentation is on http://127.0.0.1:$(DOCS_PORT)/"
	@exec $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs $(DOCS_PORT) >/dev/null

docs-build: .venv/.dev ## build the documentation into build/docs
	@$(BIN)/sphinx-build -q -j2 -E -W --keep-going -c docs -d build/doctrees -b html . build/docs

reference: .venv/.dev ## regenerate docs/config.md and gateway.toml from the schema and its defaults
	@$(BIN)/python -m gateway.config.reference > docs/config.md
	@cp gateway/config/defaults.toml gateway.toml

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate --quiet
lock: ## renew the hashed requirements (needs uv)
	$(LOCK) --upgrade pyproject.toml requirements/build.in -o requirements/runtime.txt
	$(LOCK) --upgrade pyproject.toml requirements/dev.in -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --upgrade pyproject.toml requirements/image.in -c requirements/dev.txt -o requirements/image.txt

clean: ## remove everything that was installed or generated
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
