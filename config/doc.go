// Package config reads what a person declares, in HCL files or as two URLs on a
// command line, into typed mirrors.
//
// Reading has three phases. First the variables get their values; then the
// host's own blocks are decoded; the bodies of driver and transfer blocks wait
// as a [Block] until the plugin that they are for has told its schema, and are
// decoded with [Block.Decode]. A body belongs to the host or to a plugin, never
// to both. All phases decode by schema, with the same rules and messages.
//
// Values with a unit are strings: durations "1h30m" and "2d", sizes "64MiB"
// and "10GB", rates "20MiB/s", shares "2%". Plain numbers are counts. Nothing
// is converted silently: "5" is not 5.
//
// Expressions may use var.NAME, env("NAME") and a few functions on strings and
// lists: concat, format, join, lower, trimspace and upper.
//
// All that is wrong is found in one go and returned as one sorted list; only a
// file that is no HCL ends the reading early. Nothing is read but the files
// named, nothing looked up on a network.
package config
