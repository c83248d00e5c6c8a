// Package localtree makes a directory of this machine either side of a mirror:
// an sdk.Source or an sdk.Target. The driver of "file" URLs is little more than
// it; a driver for a storage that is mounted here opens it on the mount point,
// with hooks for what its filesystem does in its own way.
//
// On a source nothing is ever written: no name, no byte, no attribute. The
// filesystem's clock is read from a file without a name. A target holds a lock
// on its root directory, and keeps marks in the extended attribute
// "trusted.gsyncd-host.<key>", or "user.gsyncd-host.<key>" where the process is
// not privileged or [Options] say so. What a target can keep is tried when it
// is opened, and read back: some filesystems take what they do not keep.
package localtree
