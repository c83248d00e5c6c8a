package watch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Kinds of items, and what is in them; see linux/btrfs_tree.h. They are stored with
// the lowest byte first.
const (
	inodeItem   = 1   // BTRFS_INODE_ITEM_KEY: one for each inode
	inodeRef    = 12  // BTRFS_INODE_REF_KEY: names in the directory that is the key's offset
	inodeExtref = 13  // BTRFS_INODE_EXTREF_KEY: names for which there was no room there
	rootRef     = 156 // BTRFS_ROOT_REF_KEY: a subvolume, the key's offset, in one that is its objectid
	rootTree    = 1   // BTRFS_ROOT_TREE_OBJECTID, where those are
	firstInode  = 256
	lastInode   = ^uint64(255)

	inodeSize    = 160
	inodeTransid = 8
	inodeNlink   = 40
	inodeMode    = 52
	inodeOtime   = 148

	refHead    = 10 // before a name
	extrefHead = 18
)

// maxNoted bounds the inodes that are kept in mind before they are told of.
const maxNoted = 1 << 16

// changes tells of every directory in which anything changed in a transaction after
// since, perhaps more than once: of those that changed themselves, and of those
// that hold a name of another inode that did, or a subvolume the top of which did. It
// counts the items that it saw for that.
//
// All up to a transaction is told of if that was committed before. What changes
// meanwhile may be told of.
func (v *volume) changes(ctx context.Context, since uint64, tell func(sdk.FileID)) (seen int, err error) {
	c := changes{v: v, since: since, tell: tell, told: map[uint64]struct{}{}, parents: map[uint64]struct{}{}}
	from, to := key{objectid: firstInode}, key{lastInode, 255, ^uint64(0)}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return seen, err
		}
		from, more, err = v.search(from, to, since+1, 0, func(at key, item []byte) {
			seen++
			c.take(at, item)
		})
		if err == nil && len(c.told)+len(c.parents)+len(c.short) >= maxNoted {
			err = c.resolve(ctx)
		}
		if err != nil {
			return seen, err
		}
	}
	c.leave()
	if err := c.nested(ctx); err != nil {
		return seen, err
	}
	return seen, c.resolve(ctx)
}

// nested notes the directories of subvolumes the top of which changed: what a listing
// shows of one is not in the tree that it is in, but in its own.
func (c *changes) nested(ctx context.Context) error {
	self := binary.NativeEndian.Uint64(c.v.id[32:])
	from, to := key{self, rootRef, 0}, key{self, rootRef, ^uint64(0)}
	in := map[uint64]uint64{} // by subvolume
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		from, more, err = searchTree(c.v.fd, rootTree, c.v.buf, from, to, 0, 0, func(at key, item []byte) {
			if len(item) < 8 {
				c.broken = fmt.Errorf("a subvolume's place of %d bytes", len(item))
				return
			}
			in[at.offset] = binary.LittleEndian.Uint64(item)
		})
		if err != nil {
			return err
		}
	}
	top := key{objectid: firstInode, kind: inodeItem}
	for _, tree := range slices.Sorted(maps.Keys(in)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, _, err := searchTree(c.v.fd, tree, c.v.buf, top, top, c.since+1, 1, func(_ key, item []byte) {
			if len(item) < inodeSize || binary.LittleEndian.Uint64(item[inodeTransid:]) > c.since {
				c.parents[in[tree]] = struct{}{}
			}
		})
		if err != nil && !errors.Is(err, unix.ENOENT) { // removed meanwhile: its directory changed
			return err
		}
	}
	return nil
}

// changes goes through the items of a tree in the order of their keys: an inode
// comes before its names.
type changes struct {
	v     *volume
	since uint64
	tell  func(sdk.FileID)

	inode  uint64 // the one whose items come
	names  int64  // of which so many are still to come, if it changed and is no directory
	broken error  // an item that cannot be what its key says

	told    map[uint64]struct{} // directories
	parents map[uint64]struct{} // directories that are not told of yet
	short   []uint64            // inodes some names of which are elsewhere in the tree
}

func (c *changes) take(at key, item []byte) {
	if at.objectid != c.inode {
		c.leave()
		c.inode = at.objectid
	}
	switch at.kind {
	case inodeItem:
		if len(item) < inodeSize {
			c.broken = fmt.Errorf("an inode of %d bytes", len(item))
			return
		}
		order := binary.LittleEndian
		switch {
		case order.Uint64(item[inodeTransid:]) <= c.since:
		case order.Uint32(item[inodeMode:])&unix.S_IFMT == unix.S_IFDIR:
			c.told[at.objectid] = struct{}{}
			c.tell(idOf(at.objectid, item))
		default:
			c.names = int64(order.Uint32(item[inodeNlink:]))
		}
	case inodeRef, inodeExtref:
		if c.names > 0 {
			c.names -= int64(c.hold(at, item))
		}
	}
}

// leave ends the items of an inode.
func (c *changes) leave() {
	if c.names > 0 {
		c.short = append(c.short, c.inode)
	}
	c.names = 0
}

// hold notes the directories of the names in an item, and counts these.
func (c *changes) hold(at key, item []byte) (names int) {
	order := binary.LittleEndian
	head, dir := refHead, at.offset
	if at.kind == inodeExtref {
		head = extrefHead
	}
	for len(item) > 0 {
		if len(item) < head {
			c.broken = fmt.Errorf("a name of %d bytes", len(item))
			return names
		}
		size := head + int(order.Uint16(item[head-2:]))
		if size > len(item) {
			c.broken = fmt.Errorf("a name of %d bytes in %d", size, len(item))
			return names
		}
		if at.kind == inodeExtref {
			dir = order.Uint64(item)
		}
		c.parents[dir] = struct{}{}
		item = item[size:]
		names++
	}
	return names
}

// resolve tells of the directories that were noted, and forgets them.
func (c *changes) resolve(ctx context.Context) error {
	for _, inode := range c.short {
		from, to := key{inode, inodeRef, 0}, key{inode, inodeExtref, ^uint64(0)}
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if from, more, err = c.v.search(from, to, 0, 0, func(at key, item []byte) { c.hold(at, item) }); err != nil {
				return err
			}
		}
	}
	// In the order in which they lie in the tree.
	for _, dir := range slices.Sorted(maps.Keys(c.parents)) {
		if _, done := c.told[dir]; done {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		at := key{objectid: dir, kind: inodeItem}
		_, _, err := c.v.search(at, at, 0, 1, func(at key, item []byte) {
			if len(item) < inodeSize {
				c.broken = fmt.Errorf("an inode of %d bytes", len(item))
				return
			}
			c.tell(idOf(at.objectid, item))
		})
		if err != nil {
			return err
		}
	}
	if c.broken != nil {
		return fmt.Errorf("search the primary's tree: %w", c.broken)
	}
	clear(c.told)
	clear(c.parents)
	c.short = c.short[:0]
	return nil
}

// idOf is the identity that a driver gives an inode: its number and its birth.
func idOf(inode uint64, item []byte) sdk.FileID {
	sec := binary.LittleEndian.Uint64(item[inodeOtime:])
	nsec := binary.LittleEndian.Uint32(item[inodeOtime+8:])
	return sdk.FileID{Ino: inode, Gen: sec*1e9 + uint64(nsec)}
}
