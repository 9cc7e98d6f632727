# make            set up and run the default study
# make cifar10-small   the study on real CIFAR-10 that two cores carry in an hour and a quarter
# make cifar10-sixpercent   the paper's figure 2 at 6 % of CIFAR-10 in full, an affair of hours for one GPU
# make he-2016    ResNet-20 to -110 on all of CIFAR-10, beside the accuracies of He et al. (2016), for one GPU
# make cifar10-gpu MINUTES=120   as much of the paper's grid as fits into these minutes on one GPU; again: goes on
# make test       set up and run the tests, but for those that run whole studies
# make test-studies   the tests that run whole studies, a minute or more each
# make test-slurm   all that start a real Slurm, the long ones too (as root, where it is installed)
# make test-gpu   what only a GPU does: its tests, then the milliseconds of its training steps
# make fuzz       damaged and hostile files, texts and arrays, CASES=100 of each of 58 kinds; SEED=1 for other ones
# make lint       ruff, snakefmt, snakemake --lint
# make reference  the config's schema and docs/reference/, after a change of an option or a measure
# make explorer   results/STUDY/explorer.html, to look instead of read; `make` makes it too
# make progress   how far the study is, while it runs or after it
# make unlock     after a Snakemake that was killed: "Directory cannot be locked"
PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
CONFIG ?= config/demo.yaml
MINUTES ?= 120
CASES ?= 100
SEED ?= 0

# Packages of other Pythons, as of a cluster's modules, must not stand before those of the environment, nor pip install
# into the user's.
unexport PYTHONPATH PYTHONHOME
export PIP_USER := 0
# Where home cannot be written to, Snakemake needs another folder for its cache.
ifneq ($(shell d="$${XDG_CACHE_HOME:-$$HOME/.cache}"; mkdir -p "$$d" 2> /dev/null && test -w "$$d" && echo usable),usable)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: study cifar10-small cifar10-sixpercent he-2016 cifar10-gpu explorer test test-studies test-slurm test-gpu fuzz lint reference progress unlock checked

study: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" python scripts/run_study.py --configfile "$(CONFIG)"

cifar10-small: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" python scripts/run_study.py --configfile config/cifar10-small.yaml

cifar10-sixpercent: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" python scripts/run_study.py --configfile config/cifar10-sixpercent.yaml --profile workflow/profiles/gpu

he-2016: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" python scripts/run_study.py --configfile config/he-2016.yaml --profile workflow/profiles/gpu

cifar10-gpu: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" python scripts/run_within.py --minutes $(MINUTES) --configfile config/cifar10.yaml

explorer: checked
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m snakemake --configfile "$(CONFIG)" --profile workflow/profiles/default explorer

test: $(VENV)/developing
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-studies: $(VENV)/developing
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest -n 2 -m whole

test-slurm: $(VENV)/developing
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest -m "long or not long" tests/slurm

test-gpu: $(VENV)/developing
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest tests/gpu
	$(BIN)/python benchmarks/gpu.py

fuzz: $(VENV)/developing
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest tests/fuzz --fuzz-cases $(CASES) --fuzz-seed $(SEED) --timeout 0

lint: $(VENV)/developing
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m snakefmt --check Snakefile workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m snakemake --lint

reference: $(VENV)/installed
	PYTHONPATH=scripts $(BIN)/python -m widedeep.study.reference

progress: $(VENV)/installed
	@$(BIN)/python scripts/progress.py --configfile "$(CONFIG)"

unlock: checked
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m snakemake --configfile "$(CONFIG)" --unlock

# Snakemake runs the code in a config that asks for it, so what names one to it is checked before.
checked: $(VENV)/installed
	@$(BIN)/python scripts/check_config.py "$(CONFIG)"

# The file marks a complete installation: a folder alone may be left of one that was interrupted.
$(VENV)/installed: requirements.txt
	@echo "Installing into $(VENV) (about 6 GB with torch; once)"
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "Python 3.11 to 3.14 is needed, and this is " + sys.version.split()[0] + "; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

# On top, what only tests and linters need.
$(VENV)/developing: $(VENV)/installed tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	@touch $@
