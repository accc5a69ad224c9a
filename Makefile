# Two commands: `make run` (everything, on this machine) and `make test`. Settings: PORT, SANDBOX_PORT, HOST, DATABASE_URL, REDIS_URL.
PYTHON ?= python3
VENV := .venv/bin/python
WORKERS ?= 2
INSTALL := $(PYTHON) -I palms/embedded/install.py

.DEFAULT_GOAL := help
.PHONY: help run test audit reconcile lint format clean forget

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

run: ## the whole platform with demo data, until Ctrl-C
	@$(INSTALL) run && exec $(VENV) -m palms.embedded run --for-make

test: ## the whole suite, on a PostgreSQL of its own (ARGS=... for pytest)
	@$(INSTALL) test && $(VENV) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS); code=$$?; \
	if [ -n "$(EXIT_FILE)" ]; then echo $$code > "$(EXIT_FILE)"; else exit $$code; fi

audit: ## check every rule on the running demo
	@$(VENV) -m palms.embedded manage audit

reconcile: ## compare the running demo's books with its bank
	@$(VENV) -m palms.embedded manage reconcile

lint: ## style, types and the order of imports alone
	@$(INSTALL) test && exec $(VENV) -m pytest -q tests/test_house_rules.py

format: ## let ruff rewrite what it can
	@$(INSTALL) test && $(VENV) -m ruff check --fix . && $(VENV) -m ruff format .

clean: ## remove the environment and caches; the data in .palms stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -prune -exec rm -rf {} +

forget: ## delete the demo's data and keys (.palms)
	@$(INSTALL) run && exec $(VENV) -m palms.embedded forget
