# Every rule sets up what it needs in .venv first; nothing here needs root.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
RUNS := .venv/.ready-to-run
# The programs of an environment hold its path: a folder that was moved is set up again.
MOVED := $(if $(filter $(CURDIR),$(shell cat .venv/.ready-to-run 2>/dev/null)),,moved)

.PHONY: demo test check bench prove docs words readme lock clean setup develop scale peers moved

setup: $(RUNS)  ## only what it takes to use Rozaneh

develop: $(STAMP)  ## and what it takes to change it

scale: $(STAMP)  ## and the engines beyond one machine, half a gigabyte, whose tests are left out and named otherwise
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes -r requirements/scale.lock

moved:

# What it takes to run is a tenth of what it takes to develop: whoever only wants to use it waits for no more than that.
$(RUNS): requirements/product.lock pyproject.toml tools/setup.sh $(MOVED)
	@PYTHON="$(PYTHON)" sh tools/setup.sh product

$(STAMP): requirements/develop.lock $(RUNS)
	@PYTHON="$(PYTHON)" sh tools/setup.sh develop

demo: $(RUNS)  ## the main job, in the lab, in under a minute
	@$(BIN)/rozaneh demo

test: $(STAMP) peers  ## what continuous integration runs
	@$(BIN)/python -m pytest -n 3 --dist worksteal --max-worker-restart 1

peers: $(STAMP)
	@sh tools/peers.sh

check: $(STAMP)  ## the gates: format, lint, types, import contracts, documentation
	@sh tools/check.sh

bench: $(STAMP) peers  ## the figures of docs/performance.md, side by side in one run
	@$(BIN)/python -m benchmarks

prove: $(STAMP) peers  ## slow proofs: repeated matrices, long fuzzing
	@$(BIN)/python -m benchmarks.prove

docs: $(STAMP)  ## the documentation as pages, in .venv/docs
	@$(BIN)/sphinx-build -q -W -b html docs .venv/docs

words: $(STAMP)  ## bring the translations up to date; says what is not translated
	@$(BIN)/python -m tools.words

readme: $(STAMP)  ## put what the demo really prints into README.md, as text and as a picture
	@$(BIN)/python -m tools.picture

lock: $(STAMP)  ## resolve the versions again and write their hashes
	@sh tools/lock.sh

clean:
	rm -rf .venv
