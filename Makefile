# Everything a person or CI runs. `make` lists the commands.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build demo test bench lint format clean

# Debug code is six times slower, and the tests do a lot of arithmetic. Their own folder, so that neither `swift build`
# nor `swift test` rebuilds what the other has built.
TEST_FLAGS := --scratch-path .build/tests -Xswiftc -O -Xcc -O2 $(SWIFT_FLAGS)
# SWIFT_FLAGS, from the environment or the command line, goes to every build.
SWIFT_FILES := Package.swift Sources Tests Benchmarks

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## release build: vidx and libvidx.so in .build/release
	@scripts/install-packages.sh build
	@scripts/build-release.sh $(SWIFT_FLAGS)

demo: build ## index 10,000 Debian packages and ask a few questions
	@scripts/demo.sh

test: build ## all tests
	@scripts/install-packages.sh test
	@scripts/test.sh $(TEST_FLAGS)

bench: build ## measure beside hnswlib, faiss, SVS, ScaNN and others
	@scripts/install-packages.sh bench
	@scripts/bench.sh

lint: ## format, sizes, imports, generated files, scripts
	@scripts/install-packages.sh test
	@scripts/lint.sh

format: ## rewrite the Swift sources as .swift-format says
	swift format --in-place --parallel --recursive $(SWIFT_FILES)

clean: ## remove what the commands above have made
	rm -rf .build .venv
