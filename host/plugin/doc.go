// Package plugin finds, starts, watches and ends plugins for the host.
//
// The main package gives a [Registry]: the built-in drivers and transfer
// methods, and what the configuration declares. A [Supervisor] starts them, each
// as a process of its own: a built-in one by executing the host's own program
// again with the arguments "plugin" and its name, a third party's by its path,
// whose checksum is compared before. For tests a built-in one may also run
// inside the host.
//
// A plugin gets an environment of a few named variables only, a private
// directory for its socket, and does not outlive its host. If it dies, calls
// end with sdk.KindGone; to start another one is the caller's decision.
package plugin
