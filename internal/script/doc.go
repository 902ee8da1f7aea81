// Package script runs VRL programs: the Vector Remap Language, in which
// integrations say how a webhook finds its instance and which link installs them.
//
// It owns the engine (VRL's own compiler and runtime, as WebAssembly in a
// sandbox), its bounds, its instances and their life, and the operation that lets
// a developer try a program. It does not own the programs: they are part of an
// integration's definition, and who needs one run asks for it.
//
// Invariants:
//   - Nothing is unpacked, compiled or allocated before the first run, and all of
//     it is given back when no run came for a while.
//   - A program sees its data, the time and random numbers; no file, no network,
//     no environment, no other run. Local time is UTC.
//   - A run is bounded in time, memory, input and result. An instance that
//     trapped or was stopped is never used again.
//   - Numbers are JavaScript's, as they are on the cloud: going in and coming out
//     they are 64-bit floats, and 1.0 is 1. Up to fifteen digits survive; the
//     engine may read longer ones wrong in their last bit, here as there.
package script
