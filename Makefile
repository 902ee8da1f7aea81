# Everything a contributor runs. `make test` is all that CI runs.

export CGO_ENABLED := 0
GO      ?= go
BIN     := bin
LDFLAGS := -s -w
# Packages whose tests start servers, databases or the official clients.
TIMEOUT ?= 20m

.PHONY: run engine build test setup check lint unit openapi update fuzz bench release tidy clean

## run: start a throw-away development server with its embedded default
run: build
	$(BIN)/botyard serve --dev

## engine: the VRL engine, fetched by npm and packed, for the build to embed
engine: internal/script/engine/vrl.wasm.zst

internal/script/engine/vrl.wasm.zst: internal/script/verel/main.go internal/script/verel/package-lock.json
	$(GO) run ./internal/script/verel

## build: the binary, as it is released
build:
	@$(MAKE) --no-print-directory engine || echo "Building without the script engine: npm, which fetches it, is not there or failed." >&2
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/botyard ./cmd/botyard

## test: install what the tests need, then check and test everything
test: setup check unit

## setup: what the tests need beside Go: PostgreSQL's server, node, poppler, the official clients
setup:
	./test/setup.sh
	$(MAKE) engine

## check: formatting, vet, lint, the module files
check: lint
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt'ed: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod tidy -diff

lint:
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

## unit: every test, both engines, the official clients against the real binary
unit:
	$(GO) test -timeout $(TIMEOUT) ./...

## openapi: write the published document anew
openapi:
	$(GO) run ./cmd/botyard openapi > api/openapi.json

## update: write golden files and generated pages anew; read the diff
update: openapi
	$(GO) run ./internal/notice/collect
	$(GO) test ./internal/access ./internal/config ./test/matrix ./test/contract -update

## fuzz: every fuzz target for a short while
fuzz:
	./test/fuzz.sh 20s

## bench: the figures of the README, side by side, as ratios
bench:
	$(GO) run ./test/bench

## release: archives for every platform, with checksums, in dist/
release: engine
	./deploy/release.sh

tidy:
	$(GO) mod tidy

clean:
	rm -rf $(BIN) dist
