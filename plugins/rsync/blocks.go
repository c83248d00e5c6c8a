package rsync

import (
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const (
	// smallBlock is how much crosses at least for a change, where files are
	// compared in blocks: a page, since that is what programs write.
	smallBlock = 4 << 10
	// largestBlock is the largest that rsync knows.
	largestBlock = 128 << 10
	// maxBlocks bounds what the comparison of one file costs: each block is some
	// 12 bytes on the way and 40 in the memory of the near rsync.
	maxBlocks = 512 << 10
	// ownBlocks is the size up to which rsync's own choice, the root of the
	// file's size, is as small as ours.
	ownBlocks = smallBlock * smallBlock
)

// group is files for one rsync, which has one size of blocks for all of them.
type group struct {
	block int64 // 0: rsync chooses for each file
	files []sdk.File
}

// groups sorts files into those that go together, in the order of their first.
// On one machine comparing is for speed, and rsync chooses.
func groups(files []sdk.File, at *place, cfg schema.Values) []group {
	choose := at.far() && !cfg.Bool(attrWhole) && !slices.ContainsFunc(cfg.Strings(attrOptions), func(o string) bool {
		return strings.HasPrefix(o, "--block-size") || o == "-W" || o == "--whole-file"
	})
	var out []group
	for _, f := range files {
		var block int64
		if choose && f.Basis {
			block = blockSize(f.Size)
		}
		i := slices.IndexFunc(out, func(g group) bool { return g.block == block && len(g.files) < maxFiles })
		if i < 0 {
			i = len(out)
			out = append(out, group{block: block})
		}
		out[i].files = append(out[i].files, f)
	}
	return out
}

// blockSize is the size of the blocks in which a file is compared best. Large
// blocks make few of them, but a small change carries a whole one: with rsync's
// choice a page changed in a file of 1 GiB is 32 KiB on the way.
func blockSize(size int64) int64 {
	if size <= ownBlocks {
		return 0
	}
	block := int64(smallBlock)
	for block < largestBlock && size > block*maxBlocks {
		block *= 2
	}
	return block
}
