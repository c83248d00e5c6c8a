// Package mirror is the life of one mirror: look for changes, crawl, bring what
// changed, leave marks.
//
// A turn enters the directories whose mark does not hold, compares both sides
// in lockstep and acts on the differences. Its order is what the promises rest
// on:
//
//  1. The marker's pass fixes the xtimes, and the reading of the primary's clock
//     up to which the marks will vouch. All listings and reads come later.
//  2. Directories are made, files are brought beside their place under staged
//     names, and each is checked to be one whole version.
//  3. The secondary is synced, then the staged files are renamed into place: a
//     name never shows data that a power cut could take back.
//  4. Further names of files are linked; what the primary no longer has is
//     removed, after every listing of the turn is known to be whole and the
//     roots are verified once more.
//  5. Directories get their attributes, children before parents, the secondary
//     is synced again, the marker is told which of them changed since its pass,
//     and only then are the marks written, deepest first. A
//     mark that a crash loses costs a look; one that came before its data would
//     hide a loss for good.
//
// A directory below which anything failed keeps its old mark, and so do all
// above it; that is how the next turn finds the way back to it.
package mirror
