# Two commands are all the set-up there is: `make demo` and `make test`.
# Everything they need beyond Rust, Python 3 and a C compiler is installed by this file, into .venv and target/.

SHELL := /bin/bash
CARGO ?= cargo
PYTHON ?= python3
VENV ?= .venv
TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/debug/scorehouse
ONNX_DIR := $(VENV)/onnxruntime
ONNX_LIB := $(ONNX_DIR)/libonnxruntime.so.1.31.1

export SCOREHOUSE_PYTHON := $(abspath $(VENV))/bin/python
export ORT_DYLIB_PATH := $(abspath $(ONNX_LIB))

.PHONY: help demo demo-fresh build test lint deny fuzz unit crash docs notebooks python onnx bench kserve release clean-demo tools

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

tools:
	@bash .ci/tools.sh

build: tools ## Build the one binary
	$(CARGO) build --locked -p scorehouse

demo: build ## Simulate, ingest, train three models, serve on http://127.0.0.1:8080 (Ctrl-C stops it)
	@exec $(BIN) demo --folder demo/run --orders demo/data --definitions demo/project $(DEMO_ARGS)

demo-fresh: clean-demo demo ## The same from nothing, dates moved to today

clean-demo: ## Forget the demo's exports, history and models
	rm -rf demo/run

test: tools python onnx ## Everything that decides whether a change is good
	@bash .ci/test.sh

lint: ## Formatting and lints only
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deny: ## Licences, advisories and sources of every dependency (installs cargo-deny once; needs the network)
	@command -v cargo-deny >/dev/null || test -x target/tools/bin/cargo-deny || $(CARGO) install --locked --quiet --root target/tools cargo-deny
	PATH="$$PWD/target/tools/bin:$$PATH" cargo-deny check

fuzz: ## Give every parser of outside bytes a minute of libFuzzer (FUZZ_SECONDS; installs cargo-fuzz once)
	@command -v cargo-fuzz >/dev/null || test -x target/tools/bin/cargo-fuzz || $(CARGO) install --locked --quiet --root target/tools cargo-fuzz
	@for target in fuzz/targets/*.rs; do name=$$(basename $$target .rs); \
	  PATH="$$PWD/target/tools/bin:$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir fuzz $$name $$(mktemp -d) fuzz/corpus/$$name -- \
	    -max_total_time=$${FUZZ_SECONDS:-60} -max_len=65536 -rss_limit_mb=4096 -timeout=10 || exit 1; done

unit: ## Tests of the lower crates only (no DataFusion, no server): seconds when warm
	$(CARGO) nextest run --locked -p scorehouse-features -p scorehouse-models -p scorehouse-training

crash: build ## Kill a busy server a hundred times and look for what it acknowledged
	SCOREHOUSE_KILLS=100 $(CARGO) test --locked -p scorehouse-tests --test suite nothing_acknowledged_is_lost_however

docs: ## API documentation into target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

python: $(VENV)/.ready

$(VENV)/.ready: notebooks/requirements.txt tests/clients/requirements.txt tests/clients/schema.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r notebooks/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/clients/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/clients/schema.txt
	@touch $@

onnx: $(ONNX_LIB) ## Fetch the pinned ONNX Runtime library (optional at run time)

$(ONNX_LIB): models/onnxruntime/fetch.py
	$(PYTHON) models/onnxruntime/fetch.py $(ONNX_DIR)
	@touch $@

notebooks: python build ## Execute the notebooks against a fresh server
	$(CARGO) nextest run --locked -p scorehouse-tests notebook

kserve: build $(VENV)/.kserve-ready ## Test the standard protocol with the KServe SDK (450 MB of packages)
	$(CARGO) nextest run --locked -p scorehouse-tests --run-ignored only kserve

$(VENV)/.kserve-ready: tests/clients/kserve.txt
	$(PYTHON) -m venv $(VENV)/kserve
	$(VENV)/kserve/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

release: tools ## The fastest binary, in target/release (another long build)
	$(CARGO) build --locked --release -p scorehouse

bench: build $(VENV)/.bench-ready ## Measure joins, windows and serving beside their peers; needs wrk
	$(CARGO) build --locked -p scorehouse-bench --features engines,offline --examples
	$(CARGO) bench --locked --profile dev -p scorehouse-models --bench forest
	bash tests/bench/run.sh $(TARGET)/debug $(abspath $(VENV))/peers/bin/python demo/run

$(VENV)/.bench-ready: tests/bench/peers/requirements.txt
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
