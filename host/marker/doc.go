// Package marker gives a primary tree an xtime where its filesystem has none.
//
// A [Marker] keeps an index of the tree's directories, and of nothing else, in a
// directory of the host: nothing is ever written into the tree. A pass
// ([Marker.Refresh]) lists directories through an [sdk.Source] and compares
// a digest of what it finds with the digest of the pass before. A directory
// whose digest differs is stamped with the pass's value of a logical clock, and
// the xtime of a directory is the largest stamp at it or below it.
//
// # Why equality
//
// "Unchanged" means that name, identity, ctime, mtime, size, mode, owner and
// link count of every entry are the same, never that a time is later than
// another: clocks step, and mtimes are set back. Equality alone is no proof
// either, for two changes within one tick of the filesystem's clock have the
// same ctime. So a digest with an entry younger than the [sdk.Beacon]'s window
// counts as unknown, and its directory is stamped once more by the next pass.
//
// # Why the order
//
// The beacon is read before the first listing, a digest is stored only together
// with the stamp for what it contains, the index is durable before any xtime of
// a pass can be seen, and a crawl reads data after it read the xtime. A crash
// at any point therefore repeats a look and never loses a change.
//
// # Partial passes
//
// A pass lists every directory, unless something tells where it need not look: a
// hint that names directories, or the native xtimes of a storage that keeps them.
// These only say where to look. What is found there is judged as ever, so the
// marks, moves and identities of both kinds of primaries are of one kind.
//
// A directory whose native xtime is the one read before its last listing is left
// alone with all below it. The xtimes read by a pass are taken over when it is
// complete, and are void when the storage's index is begun anew. Directories of
// which no digest is known, or that could not be listed, are listed by every pass.
// A mark may be lost, and a mark or a hint follows one name alone of a file with
// several. So a file that was found changed, or that lost a name, has the directories
// of all its names listed that did not find it so; one with a name that is not known
// anywhere makes the pass one through the whole tree; and a sweep, such a pass in any
// case, finds the rest: what was done by a name that no pass ever met.
//
// # Points
//
// A filesystem may know by itself what changed since a point in its history. The
// index keeps such a point ([Hint.Until]) once a pass left nothing open that only
// memory knows: each directory is then known as it was at that point, or is pending.
// The point is written behind all that it stands for, and so holds for whatever end of
// the journal is lost. A start that is told of all changes since ([Hint.Since]) makes a
// partial pass: through what is told, what is pending, and what was stamped later than
// the point, for the filesystem may have lost that in a power cut, and tells of nothing
// then. With a point, the index also holds the names of files with several.
//
// # Doubt
//
// Whoever brings the tree elsewhere lists and reads it later than the pass did, and may
// get a newer state under the xtime of the pass. That is no harm as long as the next pass
// finds it. If the filesystem loses it in a power cut, nothing differs from the pass, so
// the reader says what it found changed, see [Marker.Doubt]: for a start such a digest is
// unknown. A pass that is told where to look is not led there by that.
//
// # Whole passes
//
// A pass through the whole tree stands for all that was not told of before it. What
// moves behind it is missed, and listed with all below it by the pass that finds it.
//
// # Words
//
//   - digest: what a directory looked like when it was last listed
//   - stamp: the clock's value when a directory's digest last differed
//   - sweep: a pass that lists every directory, where others need not
//   - pending: of a directory, to be listed by the next pass whatever is told
//   - missing: of a directory, no longer found in its place, and nowhere else yet
//   - tick: the clock's value for a pass
//   - point: a place in the history of the filesystem, that a start may begin from
//   - place: the directory that holds a directory, and its name there
//   - ghost: a directory that is gone, kept while the earlier place of a moved
//     one lies in it
//   - epoch: the life of an index. A new one makes every xtime a new one.
package marker
