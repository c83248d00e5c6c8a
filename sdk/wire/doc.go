// Package wire holds the packed form in which directory entries travel between
// host and plugins. It needs the standard library only, so that guests of any
// kind can speak it.
//
// # Rows
//
// A batch is a sequence of rows, at most [MaxRows] of them and, unless it is a
// single row, at most [MaxBatchBytes] long. All numbers are little endian. A
// "string" is a u16 length and that many bytes.
//
//	row        u8 kind, u32 length of the body, body
//	begin-dir  kind 1: u32 index in the request, entry (the directory's own, named ".")
//	entry      kind 2: entry
//	end-dir    kind 3: u32 index in the request, u8 1 if an error follows, [error]
//
// An entry begins with
//
//	u8 type, u8 flags, u8 length of the name, name
//
// If its type is 0 (unknown) its only flag is 0x10 and an error follows.
// Otherwise:
//
//	u16 permissions, u32 uid, u32 gid, u32 nlink, i64 size,
//	i64 mtime seconds, u32 mtime nanoseconds, i64 ctime seconds, u32 ctime nanoseconds,
//	u64 inode, u64 generation,
//	0x01 device:  u32 major, u32 minor
//	0x02 target:  string
//	0x04 xattrs:  u16 count, each a u8 length and name, a u32 length and value; sorted by name
//	0x08 mark:    string
//	0x20 mount:   no bytes
//
// A part is there if its flag is set, and a flag is set only for what is not
// the zero value. An error is
//
//	u8 kind, u32 errno, string op, string path, string msg
//
// The encoding is canonical: what decodes encodes to the same bytes again.
//
// # The border
//
// Encoder and decoder hold the same rules: directories in the order of the
// request, each ended once; names valid and strictly ascending inside a
// directory; every value in range. What breaks them is an error, never a panic.
package wire
