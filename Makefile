# The everyday commands. Longer ones are scripts in deploy/local.
.DEFAULT_GOAL := help
.PHONY: help demo up down test test-rabbitmq4 compose-test check fuzz bench build clean

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

demo: ## see it work: three receivers, sixty events, retries, a disabled webhook
	@deploy/local/demo

up: ## start servers and roles on this machine and leave them running
	@deploy/local/up

down: ## stop what `make up` started
	@deploy/local/down

test: ## run every test on real servers; ARGS="…" goes to the test runner
	@deploy/local/test $(ARGS)

test-rabbitmq4: ## the same on RabbitMQ 4, from Debian 13 in a folder of its own; needs root
	@deploy/local/test-rabbitmq4 $(ARGS)

compose-test: ## run docker-compose.yml and let parts of it fall; ARGS=v1 or v2 picks the compose
	@deploy/compose-test/run $(ARGS)

check: ## format, lints, documentation, dependencies
	@deploy/local/check

fuzz: ## fuzz the reading and matching of patterns for a minute
	@deploy/local/fuzz

bench: ## measure against the bare broker (long); ARGS="--list" tells what
	@deploy/local/bench $(ARGS)

build: ## build the optimised binary, target/release/posthorn
	cargo build --release --bin posthorn

clean: down ## stop everything, then delete its data and all that was built
	@deploy/local/servers remove
	rm -rf .local
	cargo clean
