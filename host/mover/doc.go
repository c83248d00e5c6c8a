// Package mover brings the data of regular files from a primary to the
// secondary, under staged names that the caller then renames into place.
//
// There are three ways. "stream" reads the source and writes through the target's
// driver, many files in one stream. A source that is a directory of this machine
// is read without its driver, and if the target is one too, files are copied
// between them without either, which is what is meant by a local copy. A transfer
// plugin (rsync) works in a job directory of its own on the target, with the
// earlier versions at hand. "auto" picks for each file.
//
// Whatever the way, a staged file is complete (data with its holes, owner,
// mode, time, extended attributes) and is one version that the primary had: the
// source is the same before the first byte was read and after the last. A file
// that changed meanwhile is tried again a few times.
package mover
