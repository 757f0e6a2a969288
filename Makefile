# The commands of this repository. `make help` lists them.
GO ?= go
EMULATOR_NOTE = The local BigQuery links GoogleSQL's own parser and analyzer, translated to Go: \
one very large package. Compiling it takes 5 to 10 minutes on 2 cores, the first time only; later builds take seconds.

# The version is pinned: another one finds other things.
LINT_VERSION = v2.15.0
LINT = $(CURDIR)/bin/lint-$(LINT_VERSION)/golangci-lint

# Cloud Storage's client is used over HTTP, and leaves out what only its gRPC
# needs (docs/decisions.md). Whatever builds has this, so that the packages of
# programs and tests are the same.
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -tags=disable_grpc_modules)

VERSION ?= $(shell git describe --tags --always --dirty)
PLATFORMS ?= linux/amd64 linux/arm64 darwin/arm64

# The tests that wait for leases and time limits, or take much memory, by name.
LONG = ^(TestFaults_|TestWalk_|TestDeploy_|TestIdle_IsDecided|TestFrozen|TestClosingSum|TestSleepLong_|TestMemory_|TestTables_|TestPublic_|TestGenerated_)

# Packages that link the emulator, which the race detector would take too long
# to compile, and e2e, whose system runs in programs of its own.
EMULATED = -e /engine -e /cmd/ -e /e2e

# Many tests wait for others' clocks: two packages more than there are cores.
# The longest begin first.
AT_ONCE = -p $$(($$(getconf _NPROCESSORS_ONLN) + 2))
LONGEST = ./transformtest ./e2e ./dbtequal ./deploytest ./bridgetest
# make vet has looked at everything, and at more than go test does by itself.
TEST = $(GO) test -vet=off
TEST_LOCAL = $(TEST) $(AT_ONCE) -count=1 -timeout 40m -skip '$(LONG)'

.PHONY: help demo up screenshots bench bench-peers build check test dbt projects tables faults topic advice clients race kafka registry format vet lint generate release clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## the whole system with simulated stations and a dashboard page, on this machine
	@bin/stationflow demo $(ARGS)

up: build ## the same without the simulator: send your own events
	@bin/stationflow up $(ARGS)

screenshots: ## pictures of the page for docs/, desktop, dark and phone; of=URL takes a page that runs
	cd local && go test ./dashboard -count=1 -run TestScreenshots -args -screenshots $(CURDIR)/docs $(if $(of),-of $(of))

bench: build ## how fast the pipeline is, as a whole and stage by stage
	@bin/stationflow bench $(ARGS)
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 100ms ./event/... ./batch ./bridge ./functions/ingest ./simulator

bench-peers: build ## the same events through others, by turns: those in local/bench/peers that install here (Python; Java 17 and Maven)
	@STATIONFLOW_KAFKA="$${STATIONFLOW_KAFKA-$$(command -v mvn >/dev/null && command -v javac >/dev/null && echo scripts/kafka.sh)}" \
		bin/stationflow bench --peers local/bench/peers $(ARGS)

build: ## bin/stationflow (the local system), bin/bridge, bin/simulator, bin/functions
	@mkdir -p bin
	@scripts/build.sh . ./bridge/cmd/bridge "$(CURDIR)/bin/bridge"
	@scripts/build.sh . ./simulator/cmd/simulator "$(CURDIR)/bin/simulator"
	@scripts/build.sh . ./cmd/functions "$(CURDIR)/bin/functions"
	@scripts/build.sh local ./cmd/stationflow "$(CURDIR)/bin/stationflow" "$(EMULATOR_NOTE)"

# go run would ask the network at each use whether the command has a module of
# its own. A fetch that fails is tried again.
$(LINT):
	@for pause in 2 10 30 0; do \
		GOBIN="$(@D)" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) && exit; sleep $$pause; \
	done; exit 1

check: format $(LINT) ## while you work: format, vet, lint and tests of what is deployed, without the local system
	$(GO) vet ./...
	$(LINT) run --allow-parallel-runners ./...
	$(GO) test ./...

test: build vet ## every test but the long ones; needs nothing but Go, git and make
	$(TEST) $(RACE) ./...
	cd local && $(TEST_LOCAL) $(RACE) $(if $(RACE),$$($(GO) list $(LONGEST) ./... | grep -v $(EMULATED)),$(LONGEST) ./...)
ifdef RACE
	cd local && $(TEST_LOCAL) $$($(GO) list ./... | grep $(EMULATED))
endif

dbt: build ## the corpus, and 10,000 random templates and values against dbt-core: DBT_PYTHON names its Python
	cd local && STATIONFLOW_CASES=10000 $(GO) test -count=1 -timeout 25m -run 'TestJinja_|TestValues_|TestCorpus_|TestSupport_' ./dbtequal

projects: ## 10,000 random projects against dbt-core: DBT_PYTHON names its Python; STATIONFLOW_SEED others
	cd local && STATIONFLOW_CASES=$${STATIONFLOW_CASES:-10000} $(GO) test -count=1 -timeout 60m -v -run 'TestGenerated_' ./dbtequal

tables: build ## small projects, public ones and 500 random ones, by dbt-core and by the runner: STATIONFLOW_DBT and DBT_PYTHON name dbt-core
	cd local && $(GO) test -count=1 -timeout 45m -run 'TestTables_|TestPublic_|TestGenerated_' ./dbtequal

faults: build ## the long tests: runs that lose their lease, outages, programs that are killed or frozen, the memory of a large hour
	cd local && $(GO) test -count=1 -timeout 25m -run '$(LONG)' ./bridgetest ./compacttest ./transformtest ./repairtest ./e2e

topic: build ## a further topic, column, rule and reason, in a copy of the repository: what has to be written, and that events arrive
	cd local && STATIONFLOW_TOPIC=1 $(GO) test -count=1 -timeout 40m ./repo -run TestFurther_

advice: build ## what page, terminal, docs and runbooks tell people to run, against a local system
	cd local && STATIONFLOW_ADVICE=1 $(GO) test -count=1 -timeout 15m ./e2e ./tooltest -run Advice

clients: build ## the table of the local BigQuery through Google's clients for Node, Java and, where STATIONFLOW_PYTHON is set, Python (needs Node 18, npm, Java 17 and Maven)
	cd local/warehouse/clients && npm ci --silent && mvn --quiet --batch-mode -Dstyle.color=never \
		dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=target/jars
	cd local && STATIONFLOW_CLIENTS=1 $(GO) test -count=1 -timeout 15m ./warehouse -run 'TestTable_From'

race: ## make test under the race detector (needs a C compiler), but for what links the emulator
	@$(MAKE) test RACE=-race

kafka: build ## the tests against Apache Kafka itself (needs Java 17 and Maven)
	cd local && STATIONFLOW_KAFKA="$(CURDIR)/scripts/kafka.sh" $(GO) test -p 2 -count=1 -timeout 30m ./realkafka ./e2e -run 'Kafka'

registry: build ## the tests against a real schema registry, with the serializers of Java, Node and, where STATIONFLOW_REGISTRY_PYTHON is set, Python (needs Java 17, Maven, Node 20 and npm)
	cd local/e2e/serializers && npm ci --silent && mvn --quiet --batch-mode -Dstyle.color=never \
		dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=target/jars
	cd local && PORT=8089 ../scripts/registry.sh $(GO) test -count=1 -timeout 30m ./registry ./e2e -run 'TestRegistry'

format: ## gofmt finds nothing to change
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files"; exit 1; }

vet: format ## go vet over both modules
	$(GO) vet ./...
	cd local && $(GO) vet ./...

lint: $(LINT) ## golangci-lint over both modules (fetches it the first time)
	$(LINT) run --allow-parallel-runners ./...
	cd local && $(LINT) run --allow-parallel-runners ./...

generate: ## write everything that is derived from the event types
	$(GO) generate ./...

release: ## dist/stationflow-VERSION-OS-ARCH of PLATFORMS, and SHA256SUMS; each platform compiles the local BigQuery
	@scripts/release.sh "$(VERSION)" local ./cmd/stationflow dist $(PLATFORMS)

clean: ## remove what was built
	rm -rf bin dist
