// Package diag holds diagnostics: what is wrong in a configuration, where, and
// what would cure it. They are data; [List.WriteText] and [List.WriteJSON]
// render them, the one for people, the other for programs.
//
// Text never has colour, and control characters of what is quoted are made
// visible, so that no file can play tricks on a terminal.
package diag
