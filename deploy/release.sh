#!/usr/bin/env bash
# Builds the archives of a release into dist/, with their checksums. The same commit
# and the same Go give the same bytes, so that anyone can check a published archive.
set -euo pipefail
cd "$(dirname "$0")/.."

# Windows is not among them: the modes of files and the syncing of directories, which
# keys and blobs rest on, are not there as on Unix.
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
if [ ! -e internal/script/engine/vrl.wasm.zst ]; then
  echo "A release has the script engine: run \"make engine\" first." >&2
  exit 1
fi
version=$(sed -n 's/^var Version = "\(.*\)"$/\1/p' internal/app/server.go)
committed=$(git log -1 --format=%ct)

rm -rf dist
mkdir dist
for platform in $platforms; do
  name=botyard_${version}_${platform/\//_}
  echo "$name"
  CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} \
    go build -trimpath -buildvcs=false -ldflags '-s -w' -o "dist/$name/botyard" ./cmd/botyard
  cp LICENSE README.md CHANGELOG.md deploy/botyard.service "dist/$name/"
  cp internal/script/engine/NOTICE "dist/$name/NOTICE.vrl"
  tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --mtime="@$committed" -cf - "$name" |
    gzip -9n > "dist/$name.tar.gz"
  rm -r "dist/$name"
done
(cd dist && sha256sum -- *.tar.gz > SHA256SUMS)
