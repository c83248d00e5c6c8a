// Package agent is the far end of a resource that is reached through a stream
// of bytes, such as ssh gives: it serves the driver of one URL, and that URL
// alone, to whoever is at the other end.
//
// A [Policy] bounds what the client may change there. A [Restriction] is all that
// one key may do: which trees, from where, under which policy. It is written into
// authorized_keys, and read back when somebody logs in with the key; the command
// that the client sent is then a [Request] to be judged, and never run.
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
