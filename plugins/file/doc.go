// Package file is the driver of "file" URLs: a directory of this machine, as
// either side of a mirror. What it does with the directory is in sdk/localtree.
package file
