// Package state keeps what a mirror has to remember between runs, in a
// directory of its own: the lock that makes a mirror run once at a time, the
// session that binds it to its two sides, and the marker's index. Nothing in it
// ever needs repair: what is lost or damaged costs a look at everything.
package state
