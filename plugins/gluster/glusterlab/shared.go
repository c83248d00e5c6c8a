package glusterlab

import (
	"sync"
	"testing"
)

// Shared is a lab that a package's tests share. Its zero value is ready; the
// lab starts with the first test that asks. TestMain closes it:
//
//	var lab glusterlab.Shared
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		if err := lab.Close(); err != nil { ... }
//		os.Exit(code)
//	}
//
// It is safe for parallel tests.
type Shared struct {
	mu  sync.Mutex
	lab *Lab
	err error
}

// Lab is the shared lab. When it does not start, every test that asks fails.
func (s *Shared) Lab(t testing.TB) *Lab {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lab == nil && s.err == nil {
		s.lab, s.err = Start(Options{})
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.lab
}

// Close ends the lab, if it was ever started.
func (s *Shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lab == nil {
		return nil
	}
	if err := s.lab.Close(); err != nil {
		return err
	}
	s.lab = nil
	return nil
}
