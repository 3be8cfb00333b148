# Aliases only: the work is done by scripts/ and by the tools themselves.
# ARGS reaches `vod up` and the test runner: make up ARGS="--edge 0.0.0.0:8080", make test ARGS=a_test.

.PHONY: help up setup test lint check bench sim mutants fuzz deploy

help:
	@echo "make up       install missing tools, build, and run the whole pipeline on this machine"
	@echo "make test     run all tests, end-to-end tests included"
	@echo "make lint     check format and lints"
	@echo "make check    run what CI runs: format, lints, tests"
	@echo "make sim      simulate 100,000 uploads with injected faults, three seeds; kill vod up 50 times"
	@echo "make mutants  remove each safeguard from the source; the simulation must fail each time"
	@echo "make fuzz     send random input to everything that clients can reach, half a minute each (ARGS=target for one)"
	@echo "make bench    run the benchmarks and print a table"
	@echo "make deploy   deploy the pipeline to your AWS account (ARGS=--help lists the options)"
	@echo "make setup    install the tools for 'make up' and 'make test'"

up:
	@scripts/setup.sh run
	cargo run --locked --package vod -- up $(ARGS)

setup:
	@scripts/setup.sh run test

test:
	@scripts/setup.sh run test
	scripts/test.sh $(ARGS)
	$(if $(ARGS),,tests/players/run.sh)
	$(if $(ARGS),,tests/infra/run.sh)

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --all-targets --no-default-features --locked -- -D warnings

check: lint
	$(MAKE) test

bench:
	@scripts/setup.sh run test
	scripts/bench.sh $(ARGS)

deploy:
	infra/deploy.sh $(ARGS)

sim:
	scripts/sim.sh $(ARGS)

mutants:
	scripts/mutants.sh $(ARGS)

fuzz:
	scripts/fuzz.sh $(ARGS)
