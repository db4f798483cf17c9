PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint format gate bench web lab nightly lock site clean

demo: $(VENV)/ready
	$(BIN)/delphic run quickstart

test: lint
	$(BIN)/python tests/suite.py

# mypy needs the folder of the checkout to be an identifier: it looks through a link called delphic.
lint: $(VENV)/ready build/link/delphic
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd build/link && MYPYPATH=. ../../$(BIN)/mypy --explicit-package-bases --config-file ../../pyproject.toml delphic/__main__.py delphic/model delphic/impl delphic/harness delphic/reports
	$(BIN)/lint-imports

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What CI may run: gate.yaml. GATE is options, as in: make gate GATE="--resume --since origin/main"
gate: $(VENV)/ready
	$(BIN)/delphic gate $(GATE)

bench: $(VENV)/ready
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/streaming.py
	$(BIN)/python bench/replication.py
	$(BIN)/python bench/harness.py
	$(BIN)/python bench/explorer.py
	$(BIN)/python bench/checkers.py --quick
	$(BIN)/python bench/simulate.py
	$(BIN)/python bench/lab.py
	$(BIN)/python bench/deploy.py --cold
	$(BIN)/python bench/runs.py

# The scripts of all pages, out of reports/web; only who changes them needs Node.
web: reports/web/node_modules/ready
	cd reports/web && npm run --silent check && npm run --silent build

reports/web/node_modules/ready: reports/web/package-lock.json
	cd reports/web && npm ci --no-audit --no-fund --ignore-scripts
	touch $@

# Every scenario that a laboratory can run: hosts out of namespaces, so it needs root.
lab: $(VENV)/ready
	$(BIN)/delphic suite --on lab --seeds 1..5 --jobs 2

nightly: test lab
	$(BIN)/python -m delphic.model.golden --check
	DELPHIC_FUZZ_HISTORIES=120000 DELPHIC_FUZZ_SEED=$$(date +%Y%m%d) $(BIN)/python -m pytest -n auto --maxprocesses 4 --timeout 0 tests/harness/checkers/monitors/test_monitor_fuzz.py -k brute_force
	DELPHIC_FUZZ_HISTORIES=550000 DELPHIC_FUZZ_SEED=$$(date +%Y%m%d) $(BIN)/python -m pytest -n auto --maxprocesses 4 --timeout 0 tests/harness/checkers/test_any_search.py -k brute_force
	DELPHIC_FUZZ_HISTORIES=20000 DELPHIC_FUZZ_SEED=$$(date +%Y%m%d) $(BIN)/python -m pytest -n auto --maxprocesses 4 --timeout 0 tests/harness/checkers/monitors/test_two_opinions.py -k brute_force
	$(BIN)/python bench/leaks.py
	DELPHIC_FUZZ_HISTORIES=100000 DELPHIC_FUZZ_SEED=$$(date +%Y%m%d) $(BIN)/python -m pytest -n auto --maxprocesses 4 --timeout 0 tests/harness/checkers/transactions -k brute_force
	$(BIN)/python bench/explore.py --large
	$(BIN)/python bench/campaign.py --on local --seeds 20 --jobs 1 --ledger build/campaigns.jsonl --fresh --minutes 120
	$(BIN)/python bench/campaign.py --on sim --seeds 1000 --ledger build/campaigns.jsonl --fresh --minutes 240
	$(BIN)/delphic simulate handful --seeds 1 --crash-points --keep-going
	$(BIN)/delphic zoo --starts 3 --json > build/zoo.json
	DELPHIC_ZOO=build/zoo.json $(BIN)/python -m pytest -q tests/test_zoo_page.py
	$(BIN)/delphic aa --seeds 5
	# In some of so many worlds a drawn fault finds nobody to hit, and they are inconclusive (3).
	$(BIN)/delphic simulate chaos --seeds 1..10000 --keep-going || test $$? -eq 3

# The documentation as a site, in build/site: open index.html, no server and no network needed.
site: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build

# Exact versions of everything, with hashes, for the lowest Python that pyproject.toml promises; run
# after changing that.
lock: $(VENV)/ready
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip compile --quiet --no-header --python-version 3.11.0 --no-emit-index-url --generate-hashes --extra dev --output-file requirements.lock pyproject.toml

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Delphic needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

build/link/delphic:
	mkdir -p build/link
	ln -sfn ../.. $@

clean:
	rm -rf $(VENV) build runs .mypy_cache .ruff_cache .pytest_cache
