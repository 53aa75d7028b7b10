# Two commands do everything on a fresh machine: `make demo` and `make test`. Both build .venv from
# constraints.txt once. PYTHON names the interpreter to build it with; torch's pinned build is for 3.11.

ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test test-gpu lint bench bench-gpu dimensions notebooks explorer clean

demo: $(INSTALLED)
	$(BIN)/python examples/demo.py

# A process for each of up to four processors; each takes about 1 GB.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

# What only a GPU can show; without one, each says so. TRITON_INTERPRET=0: tests set it to 1 otherwise.
test-gpu: $(INSTALLED)
	TRITON_INTERPRET=0 $(BIN)/python -m pytest tests/test_gpu.py

bench-gpu: $(INSTALLED)
	$(BIN)/python -m tannaka bench --gpu

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	$(BIN)/python -m tannaka bench
	$(BIN)/python -m tannaka bench --diagrams
	$(BIN)/python -m tannaka bench --hom
	$(BIN)/python -m tannaka bench --graphs
	$(BIN)/python -m tannaka bench --lowerings --threads 1

dimensions: $(INSTALLED)
	$(BIN)/python tests/dimension_table.py

# Runs every notebook from top to bottom, and compares what it shows with what is committed.
notebooks: $(INSTALLED)
	$(BIN)/python -m pytest --deep tests/test_notebooks.py

# The explorer in JupyterLab, driven in Chromium; pictures to look at are in build/screenshots then.
explorer: $(INSTALLED)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[browser]'
	SCREENSHOTS=build/screenshots $(BIN)/python -m pytest tests/test_browser.py tests/test_pages.py

clean:
	rm -rf .venv build dist *.egg-info

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "tannaka needs Python 3.11 or newer: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
