package resume

import (
	"io"
	"net"
	"path/filepath"
	"testing"
)

// BenchmarkStream sends 32 KiB at a time through a unix socket, without a stream
// and with one.
func BenchmarkStream(b *testing.B) {
	for _, name := range []string{"bare", "stream"} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			accepted := make(chan net.Conn, 1)
			go func() {
				c, _ := l.Accept()
				accepted <- c
			}()
			conn, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			var w, r io.ReadWriteCloser = conn, <-accepted
			if name == "stream" {
				w, r = New(w, Options{}), New(r, Options{})
			}
			defer w.Close()
			defer r.Close()
			p := make([]byte, 32<<10)
			b.SetBytes(int64(len(p)))
			go func() {
				for b.Loop() {
					if _, err := w.Write(p); err != nil {
						b.Error(err)
					}
				}
				w.Close()
			}()
			_, _ = io.Copy(io.Discard, r)
		})
	}
}
