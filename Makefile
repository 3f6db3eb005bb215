# make run, make test, make lint. Nothing is fetched once .venv matches requirements.txt.
PYTHON ?= python3
PORT ?= 8501
# For a CPU-only or another CUDA build: make run TORCH_INDEX=ADDRESS (README, "CPU-only and CUDA builds")
TORCH_INDEX ?=

.PHONY: run test lint

run: .venv/installed
	.venv/bin/streamlit run dashboard/app.py --server.port $(PORT)

test: .venv/installed
	.venv/bin/python -m pytest

lint: .venv/installed
	.venv/bin/ruff check .

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sidelight needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	test -x .venv/bin/pip || $(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX),.venv/bin/pip install torch torchvision --index-url $(TORCH_INDEX))
	.venv/bin/pip install -r requirements.txt
	touch $@
