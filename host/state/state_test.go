package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLockIsExclusive(t *testing.T) {
	base := t.TempDir()
	a, err := Open(base, Key("file:///a", "file:///b"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(base, Key("file:///a", "file:///b"))
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("second Open: %v, want a LockedError with pid %d", err, os.Getpid())
	}
	other, err := Open(base, Key("file:///a", "file:///c"))
	if err != nil {
		t.Fatalf("another pair is locked too: %v", err)
	}
	if err := errors.Join(other.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := Open(base, Key("file:///a", "file:///b"))
	if err != nil {
		t.Fatalf("the lock outlives Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRecords(t *testing.T) {
	d, err := Open(t.TempDir(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	type rec struct{ A int }
	got := rec{A: 7}
	if err := d.Load("r", &got); err != nil || got.A != 7 {
		t.Fatalf("absent record: %v, %v; want untouched", got, err)
	}
	if err := d.Save("r", rec{A: 1}); err != nil {
		t.Fatal(err)
	}
	if err := d.Load("r", &got); err != nil || got.A != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(d.path, "r.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Load("r", &got); err == nil {
		t.Fatal("a torn record was taken for a good one")
	}
}

func TestBase(t *testing.T) {
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	for _, c := range []struct {
		root bool
		env  map[string]string
		want string
	}{
		{true, nil, "/var/lib/gsyncd-host"},
		{false, map[string]string{"XDG_STATE_HOME": "/x"}, "/x/gsyncd-host"},
		{false, map[string]string{"XDG_STATE_HOME": "rel", "HOME": "/h"}, "/h/.local/state/gsyncd-host"},
	} {
		got, err := Base(c.root, env(c.env))
		if err != nil || got != c.want {
			t.Errorf("Base(%v, %v) = %q, %v; want %q", c.root, c.env, got, err, c.want)
		}
	}
	if _, err := Base(false, env(nil)); err == nil {
		t.Error("no home at all gave a directory")
	}
}
