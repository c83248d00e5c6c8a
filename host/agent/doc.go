// Package agent is the far end of a resource that is reached through a stream
// of bytes, such as ssh gives: it serves the driver of one URL, and that URL
// alone, to whoever is at the other end.
//
// The driver runs in the agent's own process: the agent lives for one
// connection and one resource, so there is nobody whom a crash could harm more
// than the end of the agent does.
package agent
