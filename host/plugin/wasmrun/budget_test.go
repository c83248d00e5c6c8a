package wasmrun

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// What a guest waits for the host does not count, and what nobody waits for any more
// is soon over.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := func(f func(*budget)) time.Duration {
			begin := time.Now()
			ctx, b := startBudget(context.Background(), 10*time.Second)
			go f(b)
			<-ctx.Done()
			if !b.close() {
				t.Error("it did not end by its time")
			}
			return time.Since(begin)
		}
		wait := func(d time.Duration) { <-time.After(d) }
		if d := ended(func(*budget) {}); d != 10*time.Second {
			t.Errorf("left alone: %s", d)
		}
		if d := ended(func(b *budget) {
			wait(4 * time.Second)
			b.pause()
			wait(time.Hour)
			b.resume()
		}); d != time.Hour+10*time.Second {
			t.Errorf("with a pause: %s", d)
		}
		if d := ended(func(b *budget) {
			wait(4 * time.Second)
			b.shorten(time.Second)
		}); d != 5*time.Second {
			t.Errorf("shortened: %s", d)
		}
		if d := ended(func(b *budget) {
			b.pause()
			b.shorten(time.Second)
			wait(time.Minute)
			b.resume()
		}); d != time.Minute+time.Second {
			t.Errorf("shortened in a pause: %s", d)
		}
		ctx, b := startBudget(context.Background(), time.Second)
		if b.close() || ctx.Err() == nil {
			t.Error("closed in time, and late")
		}
	})
}

// Machine code is kept where nobody else can write, or not at all.
func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cache")
	cache, err := openCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(t.Context())
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Error(st, err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := openCache(dir); err == nil {
		t.Error("a directory that others read is used")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := openCache(link); err == nil {
		t.Error("a link is followed")
	}
}
