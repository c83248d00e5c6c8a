package crawl

import (
	"bytes"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Policy is what holds for the whole mirror.
type Policy struct {
	Features sdk.Features // of the secondary: what it cannot keep is not compared
	Keep     bool         // names that only the secondary has stay
	// Links returns all names of a file with several, sorted, or nil. The first
	// is the one whose data is sent.
	Links func(sdk.FileID) []sdk.Path
}

// Decide gives the action for one name of directory dir; p or s may be nil, not
// both. The entries stay the caller's.
func (pol *Policy) Decide(dir sdk.Path, v Visit, p, s *sdk.Entry) Action {
	if p != nil && sdk.Reserved(p.Name) {
		p = nil // our own names are not mirrored, wherever they come from
	}
	switch {
	case p == nil && s == nil:
		return Action{}
	case p == nil && sdk.Reserved(s.Name):
		return Action{Kind: Leftover, S: s}
	case p == nil && pol.Keep:
		return Action{}
	case p == nil:
		return Action{Kind: Delete, S: s}
	case p.Type == sdk.TypeUnknown:
		return Action{Kind: Fail, P: p, S: s}
	case s != nil && s.Type == sdk.TypeUnknown:
		return Action{Kind: Fail, P: p, S: s}
	}
	a := Action{P: p, S: s}
	a.InTheWay = s != nil && (p.Type == sdk.TypeDir) != (s.Type == sdk.TypeDir)
	switch p.Type {
	case sdk.TypeDir:
		a.Kind = Enter
		if s == nil || a.InTheWay {
			a.Kind = MakeDir
		}
	case sdk.TypeRegular:
		pol.file(&a, dir, v)
	default:
		pol.other(&a, v)
	}
	return a
}

// file decides about a regular file.
func (pol *Policy) file(a *Action, dir sdk.Path, v Visit) {
	p, s := a.P, a.S
	several, parted := false, false
	if p.Nlink > 1 && pol.Features&sdk.CanHardlinks != 0 {
		if names := pol.Links(p.ID); len(names) > 1 {
			several = true
			parted = s != nil && int(s.Nlink) < len(names)
			if self := dir.Join(p.Name); names[0] != self {
				a.Kind, a.Leader = Link, names[0]
				return
			}
		}
	}
	a.Kind = Send
	if s == nil || s.Type != sdk.TypeRegular {
		return
	}
	sure := v.sameIfLooks(p) && !parted
	switch {
	case p.Size != s.Size:
	case !sure && !several && s.Nlink > 1:
		// The names were one file once, and are not now: a new file is needed
		// even for equal bytes.
	case !pol.sameMtime(p, s), !sure:
		a.Compare = true
	default:
		pol.meta(a, v)
	}
}

// other decides about symlinks and special files.
func (pol *Policy) other(a *Action, v Visit) {
	p, s := a.P, a.S
	special := p.Type == sdk.TypeFIFO || p.Type == sdk.TypeSocket
	device := p.Type == sdk.TypeChar || p.Type == sdk.TypeBlock
	if special && pol.Features&sdk.CanSpecial == 0 || device && pol.Features&sdk.CanDevices == 0 {
		a.Kind = Skip
		if s != nil && s.Type != p.Type && !pol.Keep {
			// What was there under this name is no more.
			*a = Action{Kind: Delete, S: s}
		}
		return
	}
	if s == nil || s.Type != p.Type || s.Target != p.Target || s.Major != p.Major || s.Minor != p.Minor {
		a.Kind = Make
		return
	}
	pol.meta(a, v)
}

// meta decides about the attributes of an entry whose content is right.
func (pol *Policy) meta(a *Action, v Visit) {
	if !v.sameIfLooks(a.P) {
		a.Kind, a.Mask = Meta, sdk.MetaAll
		return
	}
	a.Mask = pol.MetaDiff(a.P, a.S, v.Xattrs)
	// What nobody looked at nobody vouches for. That is so as well where something differs
	// that did not change: xfs lets two files change places, and their change times stay.
	if !v.Xattrs && (v.Trust == TrustLooks || a.Mask != 0) {
		a.Mask |= sdk.MetaXattrs | sdk.MetaPerm
	}
	if a.Mask != 0 {
		a.Kind = Meta
		return
	}
	a.Kind = Nothing
}

// MetaDiff says which attributes of s are not those of p, of those that the
// secondary can keep; extended ones only where asked.
func (pol *Policy) MetaDiff(p, s *sdk.Entry, xattrs bool) sdk.MetaMask {
	var m sdk.MetaMask
	if pol.Features&sdk.CanOwner != 0 && (p.UID != s.UID || p.GID != s.GID) {
		m |= sdk.MetaOwner | sdk.MetaPerm // a change of owner drops set-ID bits
	}
	if p.Type != sdk.TypeSymlink && p.Perm != s.Perm {
		m |= sdk.MetaPerm
	}
	if !pol.sameMtime(p, s) {
		m |= sdk.MetaMtime
	}
	if xattrs && !slices.EqualFunc(p.Xattrs, s.Xattrs, sameXattr) {
		m |= sdk.MetaXattrs | sdk.MetaPerm // an ACL is part of the permissions
	}
	return m
}

func sameXattr(a, b sdk.Xattr) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) }

func (pol *Policy) sameMtime(p, s *sdk.Entry) bool {
	if pol.Features&sdk.FineMtime != 0 {
		return p.Mtime == s.Mtime
	}
	return p.Mtime.Sec == s.Mtime.Sec
}
