// Package script runs programs in VRL, the Vector Remap Language. Integrations use it to
// say which installation a webhook is for, and which link people install them with.
//
// It owns the engine (VRL's own compiler and runtime, as WebAssembly in a sandbox), its
// limits, the life of its instances, and the operation that lets a developer try a
// program. It does not own the programs: they are part of an integration's definition,
// and other packages ask for them to be run.
//
// Invariants:
//   - Nothing is unpacked, compiled or allocated before the first run, and everything is
//     freed after some time without a run.
//   - A program sees its data, the time and random numbers, but no files, no network, no
//     environment and no other run. Local time is UTC.
//   - A run is bounded in time, memory, input and result. An instance that trapped or was
//     interrupted is never used again.
//   - Numbers are JavaScript's, as they are on the cloud: input and output are 64-bit
//     floats, and 1.0 is written as 1. Up to fifteen digits survive; longer numbers may
//     come out with another last bit, here as on the cloud.
package script
