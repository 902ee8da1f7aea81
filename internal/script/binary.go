package script

import (
	"embed"
	"io/fs"

	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/fault"
)

// embedded holds the licence notice of the engine, and the engine itself if it was
// fetched before the build.
//
//go:embed engine
var embedded embed.FS

const (
	binaryFile = "engine/vrl.wasm.zst"
	noticeFile = "engine/NOTICE"
)

// maxBinary bounds the size of the unpacked engine, in bytes.
const maxBinary = 64 << 20

// Embedded says whether this build contains the engine. Without it every run fails.
func Embedded() bool {
	_, err := fs.Stat(embedded, binaryFile)
	return err == nil
}

// Notice is the licences of the engine and the address of its source. It must be
// distributed along with any binary that contains the engine.
func Notice() string {
	text, err := embedded.ReadFile(noticeFile)
	if err != nil {
		panic(err) // the file is part of every build
	}
	return string(text)
}

// unpack decompresses the engine's WebAssembly. In a build without it the error is
// Internal: not the caller but the operator can do something about it.
func unpack(files fs.FS) ([]byte, error) {
	packed, err := fs.ReadFile(files, binaryFile)
	if err != nil {
		return nil, fault.New(fault.Internal, "This build of botyard does not contain the VRL engine, so scripts cannot run. Build it with \"make build\", which fetches the engine first.").Because(err)
	}
	unpacker, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBinary))
	if err != nil {
		return nil, err
	}
	defer unpacker.Close()
	return unpacker.DecodeAll(packed, nil)
}
