package localfs

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Dir is an open directory below a root. Names given to its methods are single
// components. Its methods may be called concurrently but for ReadNames and
// Close.
type Dir struct {
	root  *Root
	path  sdk.Path
	fd    int
	opath bool
	place Place
	ino   uint64

	mu   sync.Mutex
	held []*hold
}

// OpenDir opens directory p for reading. KindChanged says that something else
// is there.
func (r *Root) OpenDir(p sdk.Path) (*Dir, error) {
	return r.openDir(p, unix.O_RDONLY|unix.O_DIRECTORY, "open directory")
}

// OpenPath opens directory p for work on its entries alone: it need not be
// readable, and ReadNames does not work.
func (r *Root) OpenPath(p sdk.Path) (*Dir, error) {
	return r.openDir(p, unix.O_PATH|unix.O_DIRECTORY, "open directory")
}

// OpenParent opens the directory that holds p, as OpenPath does, and returns
// p's name in it. The root has no parent.
func (r *Root) OpenParent(p sdk.Path) (*Dir, string, error) {
	if p == sdk.Root {
		return nil, "", &sdk.Error{Kind: sdk.KindInput, Op: "open parent", Path: p, Msg: "the root has none"}
	}
	if err := p.Validate(); err != nil {
		return nil, "", &sdk.Error{Kind: sdk.KindInput, Op: "open parent", Msg: err.Error()}
	}
	dir, name := p.Split()
	d, err := r.OpenPath(dir)
	return d, name, err
}

func (r *Root) openDir(p sdk.Path, flags int, op string) (*Dir, error) {
	if err := p.Validate(); err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: err.Error()}
	}
	d := &Dir{root: r, path: p, opath: flags&unix.O_PATH != 0, fd: -1}
	var err error
	if d.opath {
		d.fd, err = r.open(p, flags, &d.held)
	} else if d.fd, err = r.open(p, flags|unix.O_NOATIME, &d.held); err == unix.EPERM {
		d.fd, err = r.open(p, flags, &d.held)
	}
	if err != nil {
		d.letGo()
		return nil, r.notDir(op, p, err)
	}
	return d.opened(op)
}

func (d *Dir) opened(op string) (*Dir, error) {
	var st unix.Statx_t
	if err := knownFD(d.fd, &st); err != nil {
		d.Close()
		return nil, fail(op, d.path, err)
	}
	d.place, d.ino = placeOf(&st), st.Ino
	return d, nil
}

// notDir tells a path that leads nowhere from one where something else has
// taken the directory's place: the errno is the same.
func (r *Root) notDir(op string, p sdk.Path, err error) error {
	if err == unix.ENOTDIR {
		if parent, name, perr := r.OpenParent(p); perr == nil {
			defer parent.Close()
			if e, lerr := parent.Lstat(name); lerr == nil {
				return &sdk.Error{Kind: sdk.KindChanged, Op: op, Path: p, Errno: unix.ENOTDIR, Msg: "a " + e.Type.String() + " is there"}
			}
		}
	}
	return fail(op, p, err)
}

// OpenDir opens the subdirectory called name for reading.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	const op = "open directory"
	if err := d.check(op, name); err != nil {
		return nil, err
	}
	p := d.path.Join(name)
	sub := &Dir{root: d.root, path: p}
	var err error
	sub.fd, err = openQuiet(d.fd, name, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err == unix.EACCES && d.root.holds != nil {
		sub.fd, err = d.root.openAtForced(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, &sub.held)
	}
	if err != nil {
		sub.letGo()
		if err == unix.ENOTDIR {
			return nil, &sdk.Error{Kind: sdk.KindChanged, Op: op, Path: p, Errno: unix.ENOTDIR}
		}
		return nil, fail(op, p, err)
	}
	return sub.opened(op)
}

// OpenPath opens the subdirectory called name for work on its entries alone, as
// Root.OpenPath does.
func (d *Dir) OpenPath(name string) (*Dir, error) {
	const op = "open directory"
	if err := d.check(op, name); err != nil {
		return nil, err
	}
	sub := &Dir{root: d.root, path: d.path.Join(name), opath: true}
	err := d.try(func() (err error) {
		sub.fd, err = openRetry(d.fd, name, dirPath, 0)
		return err
	})
	if err == unix.ENOTDIR {
		return nil, &sdk.Error{Kind: sdk.KindChanged, Op: op, Path: sub.path, Errno: unix.ENOTDIR}
	}
	if err != nil {
		return nil, fail(op, sub.path, err)
	}
	return sub.opened(op)
}

// FD is the directory's descriptor. It belongs to the Dir.
func (d *Dir) FD() int { return d.fd }

// Path is the directory's path below the root, as it was opened.
func (d *Dir) Path() sdk.Path { return d.path }

// Place is where the directory lies.
func (d *Dir) Place() Place { return d.place }

// Close gives the descriptor back and puts back the modes that were widened for
// it. It may be called twice.
func (d *Dir) Close() error {
	if d == nil || d.fd < 0 {
		return nil
	}
	err := unix.Close(d.fd)
	d.fd = -1
	d.letGo()
	if err != nil {
		return fail("close", d.path, err)
	}
	return nil
}

func (d *Dir) letGo() {
	for i := len(d.held) - 1; i >= 0; i-- {
		d.root.holds.release(d.held[i])
	}
	d.held = nil
}

// forced reports whether a call that ended with err is worth another try,
// because the directory's owner has all rights now.
func (d *Dir) forced(err error) bool {
	if err != unix.EACCES || d.root.holds == nil {
		return false
	}
	h, herr := d.root.holds.take(d.fd)
	if herr != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, have := range d.held {
		if have == h {
			d.root.holds.release(h)
			return false // it was wide already: that is not the cause
		}
	}
	d.held = append(d.held, h)
	return true
}

// try runs a call on the directory, twice if the first is denied and rights can
// be had.
func (d *Dir) try(call func() error) error {
	err := call()
	for err == unix.EINTR || (err != nil && d.forced(err)) {
		err = call()
	}
	return err
}

// ReadNames lists the directory, sorted by the bytes of the names.
func (d *Dir) ReadNames() (*Names, error) {
	n, err := d.root.readNames(d.fd)
	if err != nil {
		return nil, fail("list", d.path, err)
	}
	return n, nil
}

// Stat describes the directory itself; the Name is ".".
func (d *Dir) Stat() (sdk.Entry, error) {
	e, err := d.root.StatFD(d.fd)
	if err != nil {
		return e, fail("stat", d.path, err)
	}
	return e, nil
}

// ID is the identity of the directory itself.
func (d *Dir) ID() (sdk.FileID, error) {
	var st unix.Statx_t
	if err := knownFD(d.fd, &st); err != nil {
		return sdk.FileID{}, fail("stat", d.path, err)
	}
	var e sdk.Entry
	d.root.fill(&e, &st)
	d.root.addVersionFD(&e, &st, d.fd)
	return e.ID, nil
}

// Lstat describes the entry called name. Mount is not set.
func (d *Dir) Lstat(name string) (sdk.Entry, error) {
	e, _, err := d.LstatPlace(name)
	return e, err
}

// LstatPlace is Lstat that tells where the entry lies, too.
func (d *Dir) LstatPlace(name string) (sdk.Entry, Place, error) {
	e := sdk.Entry{Name: name}
	if err := d.check("stat", name); err != nil {
		return e, Place{}, err
	}
	var st unix.Statx_t
	err := unix.Statx(d.fd, name, freshFlags, statMask, &st)
	for err == unix.EINTR || (err != nil && d.forced(err)) {
		err = unix.Statx(d.fd, name, freshFlags, statMask, &st)
	}
	if err != nil {
		return e, Place{}, fail("stat", d.path.Join(name), err)
	}
	d.root.fill(&e, &st)
	d.root.addVersion(&e, &st, d.fd, name)
	return e, placeOf(&st), nil
}

// LstatAt fills e with the i-th of the directory's names, without allocating
// anything, and says where it lies. Nothing in e is kept. What a server knows is
// as fresh as ReadNames made it.
func (d *Dir) LstatAt(n *Names, i int, e *sdk.Entry) (Place, error) {
	var st unix.Statx_t
	e.Name = n.At(i)
	err := statxPtr(d.fd, n.ptr(i), &st)
	for err == unix.EINTR || (err != nil && d.forced(err)) {
		err = statxPtr(d.fd, n.ptr(i), &st)
	}
	if err != nil {
		return Place{}, fail("stat", d.path.Join(e.Name), err)
	}
	d.root.fill(e, &st)
	d.root.addVersion(e, &st, d.fd, e.Name)
	return placeOf(&st), nil
}

// Readlink returns where the symbolic link called name points.
func (d *Dir) Readlink(name string) (string, error) {
	if err := d.check("read link", name); err != nil {
		return "", err
	}
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(d.fd, name, buf[:])
	for err == unix.EINTR || (err != nil && d.forced(err)) {
		n, err = unix.Readlinkat(d.fd, name, buf[:])
	}
	if err != nil {
		if err == unix.EINVAL {
			return "", &sdk.Error{Kind: sdk.KindChanged, Op: "read link", Path: d.path.Join(name), Errno: unix.EINVAL, Msg: "no symbolic link is there"}
		}
		return "", fail("read link", d.path.Join(name), err)
	}
	return string(buf[:n]), nil
}

// OpenFile opens the regular file p for reading. Anything else is an error of
// KindChanged; nothing blocks and no access time moves where that can be had.
func (r *Root) OpenFile(p sdk.Path) (*os.File, error) {
	const op = "open"
	if err := p.Validate(); err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: err.Error()}
	}
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	var held []*hold
	fd, err := r.open(p, flags|unix.O_NOATIME, &held)
	if err == unix.EPERM {
		fd, err = r.open(p, flags, &held)
	}
	for _, h := range held {
		defer r.holds.release(h)
	}
	return regular(fd, p, err)
}

// OpenFile opens the regular file called name, as Root.OpenFile does.
func (d *Dir) OpenFile(name string) (*os.File, error) {
	if err := d.check("open", name); err != nil {
		return nil, err
	}
	p := d.path.Join(name)
	fd, err := openQuiet(d.fd, name, unix.O_NONBLOCK|unix.O_NOFOLLOW)
	if err != nil && d.forced(err) {
		fd, err = openQuiet(d.fd, name, unix.O_NONBLOCK|unix.O_NOFOLLOW)
	}
	return regular(fd, p, err)
}

func regular(fd int, p sdk.Path, err error) (*os.File, error) {
	if err != nil {
		return nil, fail("open", p, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, fail("open", p, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, &sdk.Error{Kind: sdk.KindChanged, Op: "open", Path: p, Msg: "a " + typeOf(uint16(st.Mode)).String() + " is there"}
	}
	return os.NewFile(uintptr(fd), string(p)), nil
}
