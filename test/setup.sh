#!/usr/bin/env bash
# Installs what the tests need beside Go, and nothing that is there already:
# PostgreSQL's server programs, node with npm, the programs that read PDFs, and the
# official clients.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

packages=()
have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
have redis-server || packages+=(redis-server)
have node || packages+=(nodejs)
have npm || packages+=(npm)
have pdftotext || packages+=(poppler-utils)
if [ ${#packages[@]} -gt 0 ]; then
  if ! have apt-get; then
    echo "The tests need ${packages[*]}; install them and run this again." >&2
    exit 1
  fi
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
fi

# npm ci takes a while: only when the lock file is not the one installed from.
for packages in test/clients test/sdk; do
  if ! cmp -s "$packages/package-lock.json" "$packages/node_modules/.installed-lock.json"; then
    (cd "$packages" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$packages/package-lock.json" "$packages/node_modules/.installed-lock.json"
  fi
done
