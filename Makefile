# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv first.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.PHONY: setup demo test lint format clean
.DEFAULT_GOAL := demo

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@echo "Setting up .venv (once, a few minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mtbench needs Python 3.10 or newer: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

# Draw a data set, build a benchmark from it, let two models talk with a simulated user, evaluate every model that needs
# no training, on words and on pixels; study how three of them use the history, and put it all on a page.
demo: setup
	@rm -rf $(DEMO)/shoebox $(DEMO)/pixels $(DEMO)/studies
	$(BIN)/mtbench build shoebox --raw $(DEMO)/raw --out $(DEMO)/shoebox
	$(BIN)/mtbench encode $(DEMO)/shoebox --encoder pixels
	$(BIN)/mtbench evaluate last-turn ewma --benchmark $(DEMO)/shoebox --features pixels --out $(DEMO)/pixels
	$(BIN)/mtbench simulate bm25 whittle-search --benchmark $(DEMO)/shoebox --dialogues 200 --picture $(DEMO)/turns.svg
	$(BIN)/mtbench evaluate random last-turn avg cat ewma bm25 lookup --benchmark $(DEMO)/shoebox
	$(BIN)/mtbench compare $(DEMO)/shoebox/results --baseline bm25
	$(BIN)/mtbench evaluate last-turn ewma bm25 --benchmark $(DEMO)/shoebox --evaluator all --out $(DEMO)/studies --json > $(DEMO)/studies.json
	$(BIN)/mtbench report $(DEMO)/studies --benchmark $(DEMO)/shoebox --out $(DEMO)/report.html --overwrite
	@echo
	@echo "The pictures are in $(DEMO)/raw/images, the benchmark is in $(DEMO)/shoebox, the page is $(DEMO)/report.html"
	@echo "To talk to a model by hand: $(BIN)/mtbench chat --out $(DEMO)/chat"

test: setup
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv $(DEMO) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
