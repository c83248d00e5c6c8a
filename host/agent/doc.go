// Package agent is the far end of a resource that is reached through a stream
// of bytes, such as ssh gives: it serves the driver of one URL, and that URL
// alone, to whoever is at the other end.
//
// A client that can keeps its session when the connection is lost: it comes back
// through a relay, which another connection starts, and the session's door, a
// socket in a private directory. Other processes of the same user come to that
// door too.
//
// The driver runs in the agent's own process: the agent lives for one
// client and one resource, so there is nobody whom a crash could harm more
// than the end of the agent does.
package agent
