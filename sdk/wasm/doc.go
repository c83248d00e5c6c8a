// Package wasm is the border between a driver that is a WASM guest and its runner.
// docs/plugin-abi.md describes it byte by byte.
//
// Both directions speak the same language. A runner calls the guest's driver and
// what it opened; the guest calls its runner for what it was granted, which may be
// a whole tree, that is again something that was opened. So there is one [Server],
// which answers calls on open things, and one client side of it, [NewSource] and
// [NewTarget], and each of the two ends has both.
//
// A message is a method's number and bytes; its answer is bytes or an error. What
// streams is asked for piece by piece, so that whoever reads sets the pace.
//
// The package is for guests, runners and the sdk. A driver's author uses sdk/serve
// and sdk/grant.
package wasm
