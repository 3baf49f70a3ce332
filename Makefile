# Everything starts here: `make demo` and `make test` set up what they need, then run.

.DEFAULT_GOAL := help
.PHONY: help demo test check clean trino-oracle
.DELETE_ON_ERROR:

BIN := .venv/bin
ENVIRONMENT := .venv/.complete
JARS := .venv/.jars
CHECKOV := tools/checkov/.venv
CACHES := .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache dist

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'The first run downloads up to 4 GB (Python packages, on Linux mostly PyTorch with CUDA) and 119 MB (Spark jars).'

demo: $(ENVIRONMENT) $(JARS) ## Run the whole path on real prices (ARGS="--symbol AAPL --live-rows 20" …)
	@$(BIN)/nearcast demo $(ARGS)

test: $(ENVIRONMENT) $(JARS) ## Run the tests (ARGS="tests/source -k csv" …)
	@$(BIN)/pytest $(ARGS)

check: $(ENVIRONMENT) $(CHECKOV)/.complete ## Check style, types, templates and the links of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cfn-lint infrastructure/*.yaml
	LOG_LEVEL=CRITICAL $(CHECKOV)/bin/checkov --config-file tools/checkov/config.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; fi # its wheel is for Linux x86_64 alone
	$(BIN)/python tools/check_docs.py

trino-oracle: $(ENVIRONMENT) $(JARS) ## Record again what a real Trino answers to the corpus (first: 850 MB to fetch)
	@PYTHONPATH=src:. $(BIN)/python tools/trino_oracle.py

clean: ## Stop the services of ./.nearcast, remove it (all data of runs!) and the tools' caches
	@if [ -d .nearcast ] && [ -x $(BIN)/nearcast ]; then NEARCAST_HOME=.nearcast $(BIN)/nearcast down; fi
	@echo 'removing .nearcast $(CACHES) and __pycache__ folders; keeping .venv and the jars'
	@rm -rf .nearcast $(CACHES)
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

$(ENVIRONMENT): pyproject.toml uv.lock tools/set_up.sh
	@sh tools/set_up.sh
	@touch $@

$(CHECKOV)/.complete: $(ENVIRONMENT) tools/checkov/pyproject.toml tools/checkov/uv.lock
	@echo 'Checkov in an environment of its own: 190 MB' >&2
	@$(BIN)/uv sync --quiet --frozen --project tools/checkov --python $(BIN)/python
	@touch $@

$(JARS): $(ENVIRONMENT) src/nearcast/local/jars.py
	@echo 'Spark jars for Hudi and S3: 119 MB from Maven Central, once for all homes' >&2
	@$(BIN)/python -m nearcast.local.jars
	@$(BIN)/python -m nearcast.local.class_data
	@touch $@
