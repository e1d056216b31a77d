# `make demo` and `make test` install what they need under target/lab (no root needed) and use it from there.

LAB := target/lab
QHOP := target/release/qhop
BOOK := target/doc-book
OLD := $(LAB)/bin/qemu-7.2-system-x86_64
NEW := $(LAB)/bin/qemu-10.0-system-x86_64

.PHONY: demo test lint bench doc rustdoc release lab

## Move the built-in guest from one QEMU into another while it runs.
demo: release
	@tests/setup/qemu.sh --any $(LAB)
	@from=$(OLD); to=$(NEW); \
	[ -x $$from ] || from=$$to; [ -x $$to ] || to=$$from; \
	$(QHOP) run demo --from $$from --to $$to

release:
	@cargo build --release --quiet

## Install what the tests need, check the style, run every test.
test: lab lint
	cargo test --quiet

lab:
	@tests/setup/qemu.sh $(LAB) x86 ppc
	@tests/setup/linux.sh $(LAB)

lint:
	cargo fmt --check
	cargo clippy --all-targets --quiet -- --deny warnings

## Figures: start-up, round trips, live patches. Never a test.
bench: release lab
	tests/bench/run.sh $(LAB)

## The manual as a book of web pages: every function of the script API, every recipe, the command line.
doc:
	@cargo run --quiet -- doc --html $(BOOK)

## The documentation of the program's own modules.
rustdoc:
	cargo doc --no-deps --quiet
