// Package monitor keeps a mirror running: it opens the sides, runs the mirror,
// and when a side or its plugin fails begins again after a while. One mirror's
// failure is its own.
package monitor
