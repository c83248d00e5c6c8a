package mirror_test

import (
	"math/rand/v2"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// meddler changes the primary just while it is looked at: before and after whatever
// the driver says of it. What happens between two rows is so a matter of the seed,
// not of time.
type meddler struct {
	mu   sync.Mutex
	rng  *rand.Rand
	w    *world
	left int // changes to come
}

// stop ends the changes.
func (m *meddler) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = 0
}

func (m *meddler) perhaps() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left > 0 && m.rng.IntN(20) == 0 {
		m.left--
		m.w.step()
	}
}

// hooks are to be the ones next to the driver.
func (m *meddler) hooks() *hooks {
	return &hooks{
		beacon: func(next func() (sdk.Beacon, error)) (sdk.Beacon, error) {
			defer m.perhaps()
			return next()
		},
		scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			m.perhaps()
			return next(req, &meddledSink{sink, m})
		},
		stat: func(_ []sdk.Path, _ sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			m.perhaps()
			defer m.perhaps()
			return next()
		},
		read: func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error {
			m.perhaps()
			return next(paths, sink)
		},
	}
}

// meddledSink lets things change between the rows of a scan.
type meddledSink struct {
	sdk.ScanSink
	m *meddler
}

func (s *meddledSink) BeginDir(i int, self *sdk.Entry) error {
	s.m.perhaps()
	defer s.m.perhaps()
	return s.ScanSink.BeginDir(i, self)
}

func (s *meddledSink) Entry(e *sdk.Entry) error {
	s.m.perhaps()
	defer s.m.perhaps()
	return s.ScanSink.Entry(e)
}

func (s *meddledSink) EndDir(i int, err *sdk.Error) error {
	s.m.perhaps()
	return s.ScanSink.EndDir(i, err)
}
