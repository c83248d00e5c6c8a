// Package process runs drivers and transfer methods as processes of their own,
// over gRPC on a private unix socket, with the handshake of go-plugin.
//
// A plugin's main function calls [ServeDriver] or [ServeTransfer]. The other
// side calls [Launch] and gets a [Process], whose Driver or Transfer method
// gives an implementation of the interfaces of package sdk: the caller need not
// know that a process is behind it.
//
// The same services also run over any stream of bytes, one client to a stream:
// [ServeStream] at its far end, [DialStream] at the near one. There each side
// finds out by itself when the other is silent.
//
// # What the border does
//
// Both sides check everything that arrives. Requests larger than one message
// may be are split, in order; file data is packed into few messages where files
// are small. A stream is as fast as its slower end: whoever does not read stops
// the other.
//
// # Failures
//
// An error of the plugin arrives as the *sdk.Error that it was. If the plugin is
// no longer there, or does not answer in time, the error is of sdk.KindGone; a
// plugin that did not answer in time is killed, since nothing is known about
// it any more. What the caller's context ended wraps the context's error.
package process
