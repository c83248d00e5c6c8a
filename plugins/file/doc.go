// Package file is the driver of "file" URLs: a directory of this machine, as
// either side of a mirror.
//
// On the primary side nothing is ever written: no name, no byte, no attribute.
// The filesystem's clock is read from a file without a name. On the secondary
// side the driver holds a lock on the root directory, and keeps marks in the
// extended attribute "trusted.gsyncd-host.<key>", or "user.gsyncd-host.<key>"
// where the process is not privileged.
package file
