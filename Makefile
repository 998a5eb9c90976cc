# The everyday commands; most are those of xtask/, which `cargo xtask` lists.
.DEFAULT_GOAL := help
NO_CARGO = error: cargo not found: install Rust (see rust-version in Cargo.toml), for example with rustup
XTASK = command -v cargo >/dev/null || { echo "$(NO_CARGO)" >&2; exit 1; }; cargo xtask
.PHONY: help demo up down test test-rabbitmq4 compose-test check fuzz bench build clean

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

demo: ## see it work: three receivers, sixty events, retries, a disabled webhook
	@$(XTASK) demo

up: ## start servers and roles on this machine and leave them running
	@$(XTASK) up

down: ## stop what `make up` started
	@$(XTASK) down

test: ## run every test on real servers; ARGS="…" goes to the test runner
	@$(XTASK) test $(ARGS)

test-rabbitmq4: ## the same on RabbitMQ 4, from Debian 13 in a folder of its own; needs root
	@$(XTASK) test-rabbitmq4 $(ARGS)

compose-test: ## run docker-compose.yml and let parts of it fall; ARGS=v1 or v2 picks the compose
	@deploy/compose-test/run $(ARGS)

check: ## format, lints, documentation, dependencies
	@$(XTASK) check

fuzz: ## fuzz the reading and matching of patterns for a minute
	@deploy/local/fuzz

bench: ## measure against the bare broker (long); ARGS="--list" tells what
	@$(XTASK) bench $(ARGS)

build: ## build the optimised binary, target/release/posthorn
	cargo build --release --bin posthorn

clean: down ## stop everything, then delete its data and all that was built
	@$(XTASK) servers remove
	rm -rf .local
	cargo clean
