# make demo       set up, then run the embedded study
# make test       set up, then run the quality gates and the tests
# make studies    set up, then run every embedded study
# make benchmark  measure speed and memory, and write docs/performance.md
# make format     format the code and refresh config/schema.json and config/README.md
# make clean      remove the environment and the caches; results stay

# The first Python >= 3.11 found; the pinned versions were tested with 3.11.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo "$$python"; break; fi; done)
BIN := .venv/bin
# Studies that need no data from elsewhere.
STUDIES := config/config.yaml config/few-labels.yaml config/histories.yaml config/notes.yaml config/note-documents.yaml config/taggers.yaml config/interconnections.yaml

ifneq ($(words $(CURDIR)),1)
$(error Snakemake cannot start Python from a folder with a space in its path; move $(CURDIR))
endif

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test studies benchmark format clean

demo: .venv/installed
	$(BIN)/snakemake --cores all

test: .venv/installed-dev
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile

studies: .venv/installed
	set -e; for study in $(STUDIES); do $(BIN)/snakemake --cores all --configfile $$study; done

benchmark: .venv/installed-dev
	$(BIN)/python -m benchmarks

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow
	$(BIN)/python -m concept_transfer.schema

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/pip:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python >= 3.11 found. Install one, or name it: make PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi
	"$(PYTHON)" -m venv --clear .venv

.venv/installed: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch .venv/installed $@
