#!/bin/sh
# Generates the stubs in gen/ from protos/. With --check: writes nothing, exits with 1 if they are not what the protos say.
# Needs Go, and buf (`npm ci` in the repository's root installs it; or BUF=/path/to/buf).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
buf=${BUF:-$root/node_modules/.bin/buf}
if ! command -v "$buf" >/dev/null; then
  echo "generate: found no buf at $buf: run \`npm ci\` in $root, or set BUF" >&2
  exit 1
fi

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
# The plugins are built outside the module: their dependencies are not ours. Callers of gRPC need no HTTP paths, nor a module
# for them.
(cd "$fresh" && GOFLAGS=-mod=mod "$buf" generate "$root/protos" --exclude-type google.api.http --template "$here/buf.gen.yaml" --output "$fresh/gen")

if [ "${1:-}" = --check ]; then
  if ! diff -r "$here/gen" "$fresh/gen"; then
    echo 'generate: the committed stubs are not what the protos say; clients/go/generate.sh renews them' >&2
    exit 1
  fi
  echo 'generate: the Go stubs are what the protos say'
else
  rm -rf "$here/gen"
  mv "$fresh/gen" "$here/gen"
fi
