// Package crawl decides what has to be done to make a directory of the
// secondary like its primary. It is pure: listings and marks go in, actions
// come out, nothing is read or written.
//
// Two rules carry everything. A directory is entered when the mark on the
// secondary does not say that it holds the primary directory's present state
// ([Mark.Holds]). And in a directory that is entered, an entry counts as
// unchanged only if it both looks the same on the two sides and its change time
// lies before the point up to which the mark vouches for it ([Visit]); looking
// the same is not enough, since a file may keep its size and have its
// modification time set back.
package crawl
