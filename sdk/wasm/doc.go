// Package wasm is the border between a driver that is a WASM guest and its runner.
// docs/plugin-abi.md describes it byte by byte.
package wasm
