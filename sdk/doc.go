// Package sdk is what the author of a driver or of a transfer method imports.
//
// A [Driver] opens resources of one or more URL schemes: a [Source] is the
// primary side of a mirror, a [Target] the secondary side. A [Transfer] moves
// the data of files between the two. The host decides what is to be done, and
// in which order; a plugin does it.
//
// The package holds values and interfaces alone and needs the standard library
// only, so that a plugin can be built for any target. Serve a driver with
// sdk/serve, as a process or as a WASM module, and a transfer method with
// sdk/process; prove it with sdk/drivertest or sdk/transfertest. What a confined
// driver may reach it gets from sdk/grant.
//
// # Paths
//
// A [Path] is relative to the root of the resource, "." is the root itself.
// Names are bytes, not text: anything but NUL and '/' may occur in them. No
// path leads out of the root, and no symbolic link is followed on the way to
// the last component or at it: an implementation holds to that even while
// somebody swaps directories for links under it.
//
// # Errors
//
// An error that crosses the border is an [*Error]: a [Kind], what was being
// done, where, and the errno if there was one. Any other error is taken as
// [KindFatal].
package sdk
