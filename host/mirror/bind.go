package mirror

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// volumePrefix begins the Filesystem of an identity that is a volume; its UUID
// follows.
const volumePrefix = "gluster:"

// ChangedError says that a side is not the tree that the mirror is bound to.
type ChangedError struct {
	Side    sdk.Role
	Was, Is sdk.Identity
}

func (e *ChangedError) Error() string {
	what := "root directory"
	if e.Was.Filesystem != e.Is.Filesystem {
		what = "filesystem"
		was, volume := strings.CutPrefix(e.Was.Filesystem, volumePrefix)
		is, still := strings.CutPrefix(e.Is.Filesystem, volumePrefix)
		if volume && still {
			return fmt.Sprintf("the %s is not the one this mirror knows: it was the volume %s and is the volume %s, of the same name; was it deleted and made anew? If the change is meant, run once with --adopt", e.Side, was, is)
		}
	}
	return fmt.Sprintf("the %s is not the one this mirror knows: another %s is there now; is everything mounted? If the change is meant, run once with --adopt", e.Side, what)
}

// seen is what a look at the secondary's root found.
type seen struct {
	id   sdk.Identity
	self sdk.Entry
	at   time.Time
}

// freshLook is how long what was seen of the secondary when the mirror began
// spares the first look, and the first listing of an empty root, another round
// trip.
const freshLook = 5 * time.Second

// bareRoot is the secondary's root, in which there was nothing.
type bareRoot struct {
	self sdk.Entry
	at   time.Time
}

// bind makes sure that both sides are the ones of the session, or begins one. It
// asks for all it may need at once: each question takes a round trip where a side
// is another machine.
func (m *Mirror) bind(ctx context.Context) (root seen, err error) {
	known := m.Session != Session{}
	begun := m.Clock()
	var others strangers
	now := Session{}
	err = both(func() (err error) {
		now.Primary, root, err = m.identify(ctx)
		return err
	}, func() error {
		if known || m.Adopt {
			return nil
		}
		req := sdk.ScanRequest{Dirs: []sdk.Path{sdk.Root}, Fields: sdk.FieldTarget | m.markFields()}
		if err := m.Target.Scan(ctx, req, &others); err != nil {
			return fmt.Errorf("look at the secondary: %w", err)
		}
		if others.err != nil {
			// A guess would bind the mirror for good.
			return fmt.Errorf("look at the secondary: %w", others.err)
		}
		return nil
	})
	if err != nil {
		return root, err
	}
	now.Secondary = root.id
	switch {
	case m.Adopt:
		now.Adopted = true
		if differ(m.Session, now) == nil {
			now.Swept = m.Session.Swept
		}
	case known:
		if err := differ(m.Session, now); err != nil {
			return root, err
		}
		now.Adopted, now.Swept = m.Session.Adopted, m.Session.Swept
	default:
		if now.Adopted, err = m.ours(ctx, now.Primary.Root, &root.self, others.found); err != nil {
			return root, err
		}
		if m.empty && others.self.Type == sdk.TypeDir {
			m.bare = &bareRoot{self: others.self, at: begun}
		}
	}
	if now.Swept == 0 && (!known || m.Detector.Events()) && m.sweeps() {
		now.Swept = m.Clock().Unix() // the first turn enters what is not known to be held
	}
	if now == m.Session && !m.Adopt {
		return root, nil
	}
	if err := m.SaveSession(now); err != nil {
		return root, fmt.Errorf("keep the session: %w", err)
	}
	m.Session = now
	return root, nil
}

// ours reports whether the secondary may be taken for this mirror's without a
// word: it is empty, its root has a mark of this primary, or it is what classic
// gsyncd made of the primary as it is.
func (m *Mirror) ours(ctx context.Context, primary sdk.FileID, root *sdk.Entry, strangers bool) (bool, error) {
	if mark, err := crawl.DecodeMark(root.Mark); err == nil && mark.Dir == primary {
		return true, nil
	}
	if m.empty = !strangers; m.empty {
		return true, nil
	}
	ours, err := m.tookOver(ctx, root)
	if err != nil {
		return false, fmt.Errorf("look at the primary: %w", err)
	}
	return ours, nil
}

// adopted notes that the secondary holds nothing beyond the primary any more,
// so that whatever it holds from here on is the mirror's.
func (m *Mirror) adopted(inSync bool) error {
	if !inSync || m.Keep || m.Session.Adopted {
		return nil
	}
	m.Session.Adopted = true
	if err := m.SaveSession(m.Session); err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	return nil
}

// verify makes sure, before anything is removed, that both sides still are what
// they were.
func (m *Mirror) verify(ctx context.Context) error {
	primary, root, err := m.identify(ctx)
	if err != nil {
		return err
	}
	return differ(m.Session, Session{Primary: primary, Secondary: root.id})
}

// identify asks both sides what they are now, at the same time.
func (m *Mirror) identify(ctx context.Context) (primary sdk.Identity, root seen, err error) {
	err = both(func() (err error) {
		primary, err = m.identifyPrimary(ctx)
		return err
	}, func() (err error) {
		root, err = m.lookAtRoot(ctx)
		return err
	})
	return primary, root, err
}

func (m *Mirror) identifyPrimary(ctx context.Context) (sdk.Identity, error) {
	id, err := m.Source.Identity(ctx)
	if err != nil {
		return id, fmt.Errorf("identify the primary: %w", err)
	}
	return id, nil
}

// lookAtRoot asks the secondary what it is now, and for its root's mark.
func (m *Mirror) lookAtRoot(ctx context.Context) (root seen, err error) {
	root.at = m.Clock()
	err = both(func() (err error) {
		if root.id, err = m.Target.Identity(ctx); err != nil {
			return fmt.Errorf("identify the secondary: %w", err)
		}
		return nil
	}, func() error {
		found, err := m.Target.Stat(ctx, []sdk.Path{sdk.Root}, m.markFields())
		if err != nil {
			return fmt.Errorf("read the secondary's mark: %w", err)
		}
		root.self = found[0]
		return nil
	})
	return root, err
}

// both does two things at a time, each of which may wait for another machine.
// The first one's error counts more.
func both(first, second func() error) error {
	done := make(chan error, 1)
	go func() { done <- second() }()
	err := first()
	if other := <-done; err == nil {
		err = other
	}
	return err
}

func differ(was, is Session) error {
	if was.Primary != is.Primary {
		return &ChangedError{Side: sdk.Primary, Was: was.Primary, Is: is.Primary}
	}
	if was.Secondary != is.Secondary {
		return &ChangedError{Side: sdk.Secondary, Was: was.Secondary, Is: is.Secondary}
	}
	return nil
}

// rootID gives the identity of the primary's root directory.
func (m *Mirror) rootID(ctx context.Context) (sdk.FileID, error) {
	found, err := m.Source.Stat(ctx, []sdk.Path{sdk.Root}, 0)
	if err != nil {
		return sdk.FileID{}, fmt.Errorf("look at the primary: %w", err)
	}
	if found[0].Err != nil {
		return sdk.FileID{}, fmt.Errorf("look at the primary: %w", found[0].Err)
	}
	return found[0].ID, nil
}
