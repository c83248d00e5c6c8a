package process_test

import (
	"net"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// TestRelay writes to a driver that is behind another one, as that of a far
// machine is.
func TestRelay(t *testing.T) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		t.Run(name, func(t *testing.T) {
			d := behind(t, driver(t, launch(t, command(t, "driver"))), compress)
			t.Run("files", func(t *testing.T) { testWrite(t, d) })
			t.Run("nothing", func(t *testing.T) { testWriteNothing(t, d) })
			t.Run("fails", func(t *testing.T) { testWriteFails(t, d) })
			t.Run("context ends", func(t *testing.T) { testWriteContextEnds(t, d) })
		})
	}
}

// behind serves a driver through a stream, and returns what is at the stream's
// other end.
func behind(t *testing.T, d sdk.Driver, compress bool) sdk.Driver {
	t.Helper()
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- process.ServeStream(t.Context(), far, d, process.StreamOptions{Program: "v 1"}) }()
	s, err := process.DialStream(t.Context(), near, process.StreamOptions{Compress: compress})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := awaitEnd(t, ended); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	further, err := s.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return further
}
