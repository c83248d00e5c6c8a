package localtree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// OpenSource opens the directory at an absolute path as a primary. It changes
// nothing there, then or later.
func OpenSource(path string, o Options) (sdk.Source, error) {
	t, err := open(path, o, localfs.Open)
	if err != nil {
		return nil, err
	}
	s := &source{tree: t}
	fine, still := true, false
	if o.Beacon == nil {
		s.beacon = newBeacon(t.root, o.CrossMounts)
		t.onClose = s.beacon.close
		fine, still = s.beacon.fine, s.beacon.still()
	}
	if err := t.openMarks(localfs.Open); err != nil {
		t.onClose()
		return nil, errors.Join(err, t.closeRoots())
	}
	t.info = sdk.Info{Features: sourceFeatures(t.root, fine), Endpoint: sdk.Endpoint{Path: t.root.Path()}}
	if o.CrossMounts {
		t.info.Features |= sdk.CrossesMounts
	}
	if still {
		t.info.Features |= sdk.StillBeacon
	}
	if !o.Volume.IsZero() {
		t.native = nativeAttr(o.Volume)
		t.info.Volume = o.Volume
		t.info.Features |= sdk.HasNative
	}
	return s, nil
}

// OpenTarget opens the directory at an absolute path as a secondary. It makes the
// directory if only that is missing. KindBusy says that another target holds it.
func OpenTarget(path string, o Options) (sdk.Target, error) {
	if !validKey(o.MarkKey) {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open target", Msg: "mark key " + strconv.Quote(o.MarkKey) + " is not of a-z and 0-9, up to 32"}
	}
	if err := makeRoot(path); err != nil {
		return nil, err
	}
	t, err := open(path, o, localfs.OpenWritable)
	if err != nil {
		return nil, err
	}
	if err := lock(t.root); err != nil {
		t.root.Close()
		return nil, err
	}
	var p probed
	if err = t.openMarks(localfs.OpenWritable); err == nil {
		p, err = t.probeTarget(&o)
	}
	if err != nil {
		return nil, errors.Join(err, t.closeRoots())
	}
	if o.FsyncRenamed > 0 {
		p.features |= sdk.SyncsFiles
	}
	t.info = sdk.Info{Features: p.features, Endpoint: sdk.Endpoint{Path: t.root.Path()}}
	if p.features&sdk.CanMarks != 0 {
		t.markAttr = p.markSpace + sdk.ReservedXattr + o.MarkKey
	}
	if p.features&sdk.HasNative != 0 {
		t.native = nativeAttr(o.Volume)
	}
	g := &target{tree: t, mounts: map[localfs.Place]*localfs.Dir{}, writers: map[*writer]bool{}}
	t.onClose = g.end
	return g, nil
}

func open(path string, o Options, open func(string) (*localfs.Root, error)) (*tree, error) {
	if !filepath.IsAbs(path) {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open", Msg: "the path " + strconv.Quote(path) + " is not absolute"}
	}
	root, err := open(path)
	if err != nil {
		return nil, err
	}
	return newTree(root, o, o.logger().With("path", root.Path())), nil
}

// nativeAttr is where Gluster keeps a volume's native xtimes.
func nativeAttr(volume sdk.UUID) string { return "trusted.glusterfs." + volume.String() + ".xtime" }

// makeRoot makes the last component of the root's path if it is missing.
func makeRoot(path string) error {
	err := os.Mkdir(path, 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	if st, serr := os.Stat(path); serr == nil && st.IsDir() {
		return nil // there, below something read-only
	}
	return sdk.NewError("make "+path, "", err)
}

func validKey(key string) bool {
	if key == "" || len(key) > 32 {
		return false
	}
	for _, c := range []byte(key) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
