// Package report is what the program knows about itself, as data: the state of
// each mirror, its counts, problems and notices. Text and JSON are rendered
// from the same [Snapshot].
package report
