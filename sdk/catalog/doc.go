// Package catalog is for sources whose tree is known as a list: the entries of
// an archive, the lines of a manifest.
//
// A [Builder] takes the entries as they come, in any order, with names as they
// were found, and makes a [Tree] of them, which answers Scan and Stat. It is
// there that hostile and odd lists are dealt with, once for all such drivers:
//
//   - A name that leads out of the tree, is absolute, or is no name at all is
//     not served. It becomes a file of the root that nobody can read, so that
//     the host shows it as a problem and all else is mirrored.
//   - Directories that are only implied by the names of what is in them are made.
//   - Of two entries with one name the later one counts. An entry below what is
//     no directory is a problem: a link never leads anywhere.
//
// A Tree does not change. A driver that finds a new list makes a new Tree, and
// gives the entries that are as before their earlier change times with
// [Tree.Carry], so that the host need not compare them.
//
// The package needs the standard library only.
package catalog
