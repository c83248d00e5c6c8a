package mirror_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mirror"
)

// whole reports whether data is one of the versions that the writer makes: a
// number, repeated to a length that follows from it.
func whole(data []byte, fixed int) bool {
	if len(data) < 8 || len(data)%8 != 0 {
		return false
	}
	n := binary.LittleEndian.Uint64(data)
	return bytes.Equal(data, version(n, fixed))
}

func version(n uint64, fixed int) []byte {
	size := fixed
	if size == 0 {
		size = 8 * (1 + int(n*7919%20_000))
	}
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, n), size/8)
}

// TestPromise2NoTornFile: whoever reads a file on the secondary finds one whole
// version, while the primary's is rewritten in place or replaced without pause.
func TestPromise2NoTornFile(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		name := map[bool]string{false: "direct", true: "streamed"}[streamed]
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.streamed = streamed
			r.log = quietLog()
			const inPlace = 256 << 10
			fixed := map[string]int{"rewritten": inPlace, "replaced": 0}
			r.write("rewritten", string(version(1, inPlace)))
			r.write("replaced", string(version(1, 0)))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			var all sync.WaitGroup
			all.Go(func() { rewrite(t, ctx, r.primary, inPlace) })
			seen := map[string]int{}
			all.Go(func() {
				last := map[string]uint64{}
				for ctx.Err() == nil {
					for f, size := range fixed {
						data, err := os.ReadFile(filepath.Join(r.secondary, f))
						if err != nil {
							continue
						}
						if !whole(data, size) {
							t.Errorf("%s: %d bytes that the primary never had", f, len(data))
							cancel()
							return
						}
						if n := binary.LittleEndian.Uint64(data); n != last[f] {
							last[f] = n
							seen[f]++
						}
					}
					if seen["replaced"] > 1 && time.Since(began) > 1500*time.Millisecond {
						cancel()
					}
				}
			})
			err := r.runContext(ctx, mirror.Options{})
			all.Wait()
			if err == nil || ctx.Err() == nil {
				t.Fatalf("run ended by itself: %v", err)
			}
			if seen["replaced"] < 2 {
				t.Errorf("too few versions arrived: %v", seen)
			}
			r.sync()
			r.equal()
		})
	}
}

// rewrite makes new versions with short pauses of differing length.
func rewrite(t *testing.T, ctx context.Context, dir string, fixed int) {
	h, err := os.OpenFile(filepath.Join(dir, "rewritten"), os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = h.Close() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := uint64(2); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(time.Duration(n%9) * 3 * time.Millisecond)
		}
		if _, err := h.WriteAt(version(n, fixed), 0); err != nil {
			t.Error(err)
			return
		}
		temp := filepath.Join(dir, "temp")
		err := os.WriteFile(temp, version(n, 0), 0o644)
		if err == nil {
			err = os.Rename(temp, filepath.Join(dir, "replaced"))
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}
