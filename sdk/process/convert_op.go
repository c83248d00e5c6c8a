package process

import (
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

func metaToWire(m *sdk.Meta) *wirepb.Meta {
	out := &wirepb.Meta{
		Mask: uint32(m.Mask), Perm: uint32(m.Perm), Uid: m.UID, Gid: m.GID,
		MtimeSec: m.Mtime.Sec, MtimeNsec: m.Mtime.Nsec,
	}
	for _, x := range m.Xattrs {
		out.Xattrs = append(out.Xattrs, &wirepb.Xattr{Name: []byte(x.Name), Value: x.Value})
	}
	return out
}

func metaFromWire(m *wirepb.Meta) (sdk.Meta, error) {
	if m == nil {
		return sdk.Meta{}, nil
	}
	out := sdk.Meta{
		Mask: sdk.MetaMask(m.Mask), Perm: sdk.Perm(m.Perm), UID: m.Uid, GID: m.Gid,
		Mtime: sdk.Time{Sec: m.MtimeSec, Nsec: m.MtimeNsec},
	}
	if m.Mask&^uint32(sdk.MetaAll) != 0 || m.Perm&^uint32(sdk.PermMask) != 0 || m.MtimeNsec >= 1e9 {
		return out, errors.New("attributes out of range")
	}
	for _, x := range m.Xattrs {
		attr := sdk.Xattr{Name: string(x.Name), Value: x.Value}
		if err := wire.ValidateXattr(attr); err != nil {
			return out, err
		}
		out.Xattrs = append(out.Xattrs, attr)
	}
	return out, nil
}

func opToWire(o *sdk.Op) *wirepb.Op {
	out := &wirepb.Op{
		Kind: uint32(o.Kind), Path: []byte(o.Path), From: []byte(o.From), Target: []byte(o.Target),
		Type: uint32(o.Type), Major: o.Major, Minor: o.Minor, Mark: o.Mark, Synced: o.Synced,
	}
	switch o.Kind {
	case sdk.OpSymlink, sdk.OpMknod, sdk.OpSetMeta:
		out.Meta = metaToWire(&o.Meta)
	case sdk.OpSetMark:
		out.Native = nativeToWire(o.Native)
	case sdk.OpSetVolumeMark:
		out.VolumeMark = volumeMarkToWire(o.VolumeMark)
	}
	return out
}

func opFromWire(m *wirepb.Op) (sdk.Op, error) {
	kind, err := small[sdk.OpKind]("operation", m.Kind)
	if err != nil {
		return sdk.Op{}, err
	}
	typ, err := small[sdk.Type]("type", m.Type)
	if err != nil {
		return sdk.Op{}, err
	}
	meta, err := metaFromWire(m.Meta)
	if err != nil {
		return sdk.Op{}, fmt.Errorf("%s %q: %w", kind, m.Path, err)
	}
	mark, err := volumeMarkFromWire(m.VolumeMark)
	if err != nil {
		return sdk.Op{}, fmt.Errorf("%s %q: %w", kind, m.Path, err)
	}
	o := sdk.Op{
		Kind: kind, Path: sdk.Path(m.Path), From: sdk.Path(m.From), Target: string(m.Target),
		Type: typ, Major: m.Major, Minor: m.Minor, Meta: meta, Mark: m.Mark, Synced: m.Synced,
		Native: nativeFromWire(m.Native), VolumeMark: mark,
	}
	return o, wire.CheckOp(&o)
}

// resultToWire leaves the path out of an error where it is the operation's own:
// the other side knows it, and paths may be long.
func resultToWire(r sdk.OpResult, own sdk.Path) *wirepb.OpResult {
	out := &wirepb.OpResult{Error: faultToWire(r.Err), Lost: uint32(r.Lost)}
	if out.Error != nil && own != "" && r.Err.Path == own {
		out.Error.Path = nil
	}
	return out
}

func resultFromWire(m *wirepb.OpResult, own sdk.Path) (sdk.OpResult, error) {
	if m.Lost&^uint32(wire.LostKnown) != 0 {
		return sdk.OpResult{}, fmt.Errorf("result %#x is not known", m.Lost)
	}
	r := sdk.OpResult{Err: faultFromWire(m.Error), Lost: sdk.Lost(m.Lost)}
	if r.Err != nil && r.Err.Path == "" {
		r.Err.Path = own
	}
	return r, nil
}
