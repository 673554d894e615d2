# Two commands for a fresh machine with Python 3.10 to 3.13 and a C++ compiler: `make demo` and `make test`.
#
#   make demo                    the vehicle stack on a synthetic stereo drive
#   make demo BAG=path           ... on a recorded drive (ROS 1, ROS 2 sqlite3 or MCAP)
#   make demo IMAGES=directory   ... on pictures: left/, right/ and a calibration, or a KITTI folder
#   make test                    every check and test
PYTHON ?= python3
OUT ?= demo_output
# The networks' tests need any PyTorch from 2.6 on; a fixed one keeps their last digits.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin

# A sourced ROS distribution and the wheels of the virtual environment must not meet in one process.
unexport PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test lint clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -6

demo: setup
	@$(BIN)/cups demo --output "$(OUT)" $(if $(BAG)$(IMAGES),--drive "$(BAG)$(IMAGES)")

test: setup $(VENV)/.torch
	@$(BIN)/python -m pytest -n 2 --dist loadfile -q

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

setup: $(VENV)/.packages $(VENV)/.messages

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 10) <= v < (3, 14) else \
	  f"Python 3.10 to 3.13 is needed, {sys.executable} is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.packages: $(BIN)/python setup.py setup.cfg pyproject.toml package.xml $(wildcard launch/* config/*)
	@echo "Setting up $(VENV) (downloads about 350 MB the first time) ..."
	@$(BIN)/pip install -qq --editable '.[ros,sim,dev]'
	@touch $@

$(VENV)/.messages: $(BIN)/python $(wildcard msg/*)
	@echo "Building the message package (half a minute) ..."
	@$(BIN)/pip install -qq --force-reinstall --no-deps ./msg
	@touch $@

$(VENV)/.torch: $(BIN)/python
	@echo "Adding PyTorch for the tests of the networks ..."
	@$(BIN)/pip install -qq '$(TORCH)' 'setuptools<80'  # colcon's limit
	@touch $@

clean:
	rm -rf $(VENV) build install log dist *.egg-info
