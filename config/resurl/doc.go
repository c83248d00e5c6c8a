// Package resurl reads and writes resource URLs: where one side of a mirror is.
//
// # Grammar
//
//	long form                     short form              what it is
//	file:///path                  /path                   a directory of this machine
//	gluster://host:volume         host:volume             a Gluster volume
//	gluster://localhost:volume    :volume                 the same, served here
//	ssh://[user@]host:INNER       [user@]host:/path       a directory behind ssh
//	                              [user@]host::volume     a volume behind ssh
//	scheme://rest                 none                    what a third party's driver opens
//
// A host is a name, an IPv4 address, or an IPv6 address in brackets: [::1],
// [fe80::1%eth0]. INNER is any file or gluster URL, long or short. A scheme is a lower-case
// letter followed by lower-case letters, digits, '+', '-' and '.'.
//
// A text without "scheme://" is read by the sugar rule of the classic gsyncd:
// what starts with '/' is a path; what starts with ':' is a local volume; what
// has '@' before its first colon, or ':' or '/' after it, is ssh; what has
// another colon is a volume on a host. Colons in brackets do not count. Anything else is no URL. "file:/path" is
// refused, since it would mean the directory /path of a host called "file"
// (which "ssh://file:/path" still names).
//
// # Blanks and globs
//
// The classic forms reserve blanks, '*', '?' and '[' for globs, and so they are
// refused in gluster and ssh URLs and in what follows "file://". A tree whose
// path has them can still be named: a plain /path is taken literally, byte for
// byte; and in a file URL, alone or inside an ssh URL, %XX stands for the byte
// XX. "/my data" is "file:///my%20data". A '%' in a plain path is a '%'.
// What follows the scheme of a third party is the driver's business, but must
// be valid UTF-8 without control characters.
//
// Configuration files hold normalised (NFC) Unicode; a directory whose name is
// other than that, or not Unicode, is named there with %XX.
//
// # Forms
//
// [URL.Long] is the normal form: equal URLs have equal long forms, and parsing
// a long form gives the same URL. [URL.Canonical] names a resource the same
// however its host was spelled, and [URL.EscapedCanonical] makes one path
// component of that.
//
// All of the package is pure: no lookup, no file is touched, but for the
// functions that a caller hands in.
package resurl
