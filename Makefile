# Aliases only: what they do stands in scripts/ and in the tools themselves.
# ARGS reaches `vod up` and the test runner: make up ARGS="--edge 0.0.0.0:8080", make test ARGS=a_test.

.PHONY: help up setup test check bench sim mutants fuzz deploy

help:
	@echo "make up       install what is missing, build, and start the whole pipeline on this machine"
	@echo "make test     every test, end to end ones included"
	@echo "make check    what CI runs: format, lints, tests"
	@echo "make sim      100,000 simulated uploads under faults, three seeds; vod up killed 50 times"
	@echo "make mutants  each safeguard taken out of the source: the simulation has to notice"
	@echo "make fuzz     random input at everything that strangers can reach, half a minute each (ARGS=target for one)"
	@echo "make bench    side-by-side measurements, as a table"
	@echo "make deploy   the whole pipeline in your AWS account (ARGS=--help tells more)"
	@echo "make setup    install what 'make up' and 'make test' need, and nothing else"

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

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
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
