package script

import (
	"embed"
	"io/fs"

	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/fault"
)

// embedded holds the notices of the engine, and the engine itself when it was
// fetched before the build.
//
//go:embed engine
var embedded embed.FS

const (
	binaryFile = "engine/vrl.wasm.zst"
	noticeFile = "engine/NOTICE"
)

// maxBinary bounds what the packed engine may unpack to.
const maxBinary = 64 << 20

// Embedded says whether this build holds the engine. Without it every run is
// refused.
func Embedded() bool {
	_, err := fs.Stat(embedded, binaryFile)
	return err == nil
}

// Notice is the licences of the engine, and where its source is. Who hands on a
// binary with the engine hands on this.
func Notice() string {
	text, err := embedded.ReadFile(noticeFile)
	if err != nil {
		panic(err) // the file is part of every build
	}
	return string(text)
}

// unpack gives the engine's WebAssembly. A build without one is Internal: the
// caller can do nothing about it, the operator can.
func unpack(files fs.FS) ([]byte, error) {
	packed, err := fs.ReadFile(files, binaryFile)
	if err != nil {
		return nil, fault.New(fault.Internal, "This build of botyard has no VRL engine in it, so no script can run. Build it with \"make build\", which fetches the engine first.").Because(err)
	}
	unpacker, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBinary))
	if err != nil {
		return nil, err
	}
	defer unpacker.Close()
	return unpacker.DecodeAll(packed, nil)
}
