// Package wasmfile knows as much of the format of WASM modules as it takes to tell
// one from other files, and to read and write the manifest in it, by which a guest
// is described without being run.
package wasmfile
