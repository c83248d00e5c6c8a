// Package mover brings the data of regular files from a primary to the
// secondary, under staged names that the caller then renames into place.
//
// There are three ways. "stream" reads through the source's driver and writes
// through the target's, many files in one stream; where both sides are
// directories of this machine it copies between them without the drivers,
// which is what is meant by a local copy. A transfer plugin (rsync) works in a
// job directory of its own on the target, with the earlier versions at hand.
// "auto" picks for each file.
//
// Whatever the way, a staged file is complete (data with its holes, owner,
// mode, time, extended attributes) and is one version that the primary had: the
// source is the same before the first byte was read and after the last. A file
// that changed meanwhile is tried again a few times.
package mover
