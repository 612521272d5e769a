# Every target works from a fresh clone on Debian 12 with Swift on PATH.
#
#   make run       build, then serve echo           ARGS="--port 7001 --style callback"
#   make test      the tests                        TEST_ARGS="--filter TidyTests"
#   make check     what CI asks: lint, build, tests, documentation
#   make sanitize  the tests under both sanitizers  SANITIZERS=thread
#   make fuzz      what reads foreign bytes         FUZZ_ARGS="30 address"
#   make simulate  20,000 seeds of a kernel in memory   SIMULATE_ARGS=1000000
#   make fenced    the tests with a pool whose free buffers are inaccessible
#   make tiny      the tests with the smallest rings and pool
#   make mutants   faults put into the runtime, each to be found by a test
#   make bench     the benchmarks                   BENCH_ARGS=--smoke
#   make soak      much of everything, nothing left behind   SOAK_ARGS="--scale 0.1"
#   make docs      DocC into .build-docs/
#   make format    rewrite the sources in the house format
#   make setup     install what all of these need

.DEFAULT_GOAL := check
.PHONY: run test check sanitize fenced tiny mutants fuzz simulate bench soak docs format setup

# Serial, because tests that count system calls or locked memory share one process.
# XCTest is off: no test uses it, and its empty summary would hide the real one.
TEST_FLAGS := --no-parallel --disable-xctest

run:
	@scripts/setup build
	@swift build -c release --product uringcore
	@scripts/how-to-talk $(ARGS)
	@exec .build/release/uringcore echo $(ARGS)

test:
	@scripts/setup build test
	@swift test $(TEST_FLAGS) $(TEST_ARGS)

check:
	@scripts/setup build test
	@TEST_FLAGS="$(TEST_FLAGS)" scripts/check

sanitize:
	@scripts/setup build test
	@TEST_FLAGS="$(TEST_FLAGS)" TEST_ARGS="$(TEST_ARGS)" scripts/sanitize $(SANITIZERS)

fuzz:
	@scripts/setup build
	@scripts/fuzz $(FUZZ_ARGS)

# Built beside the benchmarks' static programs, which share most of it.
simulate:
	@scripts/setup build
	@swift build -c release --static-swift-stdlib --product uringcore-simulate --scratch-path .build-static
	@.build-static/release/uringcore-simulate $(SIMULATE_ARGS)

fenced tiny:
	@scripts/setup build test
	@TEST_FLAGS="$(TEST_FLAGS)" TEST_ARGS="$(TEST_ARGS)" scripts/variants $@

mutants:
	@scripts/setup build test
	@scripts/mutants

# A smoke run makes do with the static programs: half of the builds, two minutes of two CPUs less.
WHOLE := $(if $(findstring --smoke,$(BENCH_ARGS)),,whole)
STATIC := -c release --static-swift-stdlib

bench:
	@scripts/setup build bench
	@swift build $(STATIC) --product uringcore --scratch-path .build-static
	@swift build $(STATIC) --product UringDatagramBenchmarks --scratch-path .build-static
	@swift build $(STATIC) --package-path Benchmarks/NIO --scratch-path .build-nio-static
	@$(if $(WHOLE),swift build -c release --product uringcore)
	@$(if $(WHOLE),swift build -c release --product UringMicroBenchmarks)
	@$(if $(WHOLE),swift build -c release --product UringMessagingBenchmarks)
	@$(if $(WHOLE),swift build -c release --product UringFaceBenchmarks)
	@$(if $(WHOLE),swift build -c release --product UringFileBenchmarks)
	@$(if $(WHOLE),swift build -c release --package-path Benchmarks/NIO --scratch-path .build-nio)
	@python3 Benchmarks/bench.py \
		--uringcore-static .build-static/release/uringcore \
		--nio-static .build-nio-static/release/nio-echo \
		--datagrams .build-static/release/UringDatagramBenchmarks \
		--nio-datagrams .build-nio-static/release/nio-datagrams \
		$(if $(WHOLE),--uringcore .build/release/uringcore --nio .build-nio/release/nio-echo) \
		$(if $(WHOLE),--micro .build/release/UringMicroBenchmarks) \
		$(if $(WHOLE),--messaging .build/release/UringMessagingBenchmarks) \
		$(if $(WHOLE),--nio-messaging .build-nio/release/nio-messaging) \
		$(if $(WHOLE),--face .build/release/UringFaceBenchmarks) \
		$(if $(WHOLE),--nio-face .build-nio/release/nio-face) \
		$(if $(WHOLE),--files .build/release/UringFileBenchmarks) \
		$(if $(WHOLE),--nio-files .build-nio/release/nio-files) \
		$(BENCH_ARGS)

soak:
	@scripts/setup build soak
	@swift build -c release --product uringcore
	@python3 Benchmarks/soak.py --uringcore .build/release/uringcore $(SOAK_ARGS)

docs:
	@scripts/setup build
	@scripts/docs

format:
	@scripts/format

setup:
	@scripts/setup build test bench soak
