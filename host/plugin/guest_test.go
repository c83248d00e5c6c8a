package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

const grantedExample = "github.com/gsyncd/gsyncd-host/examples/granted"

func guest(t testing.TB, name, path string) Declaration {
	t.Helper()
	return Declaration{Kind: KindDriver, Name: name, Path: path, SHA256: sumOf(t, path)}
}

// written writes a file of the test's.
func written(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGuest(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d := guest(t, "granted", guests.Module(t, grantedExample))
	d.Grants = grant.Config{
		Dirs: []grant.DirConfig{{Path: dir}},
		HTTP: []grant.OriginConfig{{URL: "https://example.test", Headers: []grant.Header{{Name: "X-Key", Env: "SECRET"}}}},
	}
	s := supervisor(t, registry(d), Options{Environ: []string{"XDG_CACHE_HOME=" + guests.CacheHome(), "SECRET=hush"}})
	p, err := s.Start(t.Context(), KindDriver, "granted", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), name))
		if err != nil || bytes.Contains(text, []byte("hush")) || bytes.Contains(text, []byte(dir)) {
			t.Errorf("%s %q, %v", name, text, err)
		}
	}
	limits, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "limits"))
	if err != nil || regexp.MustCompile(`Max data size +unlimited`).Match(limits) {
		t.Errorf("limits %s, %v", limits, err)
	}
	src, err := p.Driver().OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "granted", Rest: dir}, Config: schema.Values{"jobs": int64(1)}})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{sdk.Root}}, counter{&rows}); err != nil || rows != 1 {
		t.Error(rows, err)
	}
	if _, err := p.Driver().OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "granted", Rest: "/etc"}, Config: schema.Values{"jobs": int64(1)}}); sdk.KindOf(err) != sdk.KindPermission || !strings.Contains(err.Error(), "no granted directory") {
		t.Errorf("not granted: %v", err)
	}
}

// What is wrong with a module is said in one clear line.
func TestBadGuests(t *testing.T) {
	made := func(m wasmtest.Module) string { return written(t, "x.wasm", m.Assemble()) }
	describes := func(d sdk.Descriptor) []byte {
		text, err := wire.AppendManifest(nil, d)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	said := describes(sdk.Descriptor{Name: "granted", Version: "1", Schemes: []string{"granted"}, Roles: []sdk.Role{sdk.Primary}})
	module := wasmtest.Module{Version: 1, Answers: map[byte][]byte{byte(wasm.Describe): append([]byte{0}, said...)}}
	good := made(module)
	packed := func(d sdk.Descriptor) string {
		out, err := wasmfile.Pack(module.Assemble(), describes(d))
		if err != nil {
			t.Fatal(err)
		}
		return written(t, "x.wasm", out)
	}
	lie := sdk.Descriptor{Name: "granted", Version: "9", Schemes: []string{"granted"}, Roles: []sdk.Role{sdk.Primary}}
	claim := sdk.Descriptor{Name: "granted", Version: "1", Schemes: []string{"granted", "mem"}, Roles: []sdk.Role{sdk.Primary}}
	tests := map[string]struct {
		path string
		edit func(*Declaration)
		want string
	}{
		"missing":   {path: written(t, "x.wasm", nil), edit: func(d *Declaration) { d.Path += "2.wasm" }, want: "there is no such file"},
		"not wasm":  {path: written(t, "x.wasm", []byte("#!/bin/sh\n")), want: "not a WASM module"},
		"component": {path: written(t, "x.wasm", []byte("\x00asm\x0d\x00\x01\x00")), want: "a WASM component, and guests are core modules"},
		"damaged":   {path: written(t, "x.wasm", []byte("\x00asm\x01\x00\x00\x00\x00\xff")), want: "damaged"},
		"digest":    {path: good, edit: func(d *Declaration) { d.SHA256 = make([]byte, 32) }, want: "its SHA-256 checksum is"},
		"no export": {path: made(wasmtest.Module{Without: "gsyncd_call", Version: 1}), want: "it does not export gsyncd_call"},
		"no memory": {path: made(wasmtest.Module{Without: "memory", Version: 1}), want: "it does not export its memory"},
		"signature": {path: made(wasmtest.Module{Wrong: "gsyncd_alloc", Version: 1}), want: "its gsyncd_alloc takes or returns something else"},
		"version":   {path: made(wasmtest.Module{Version: 9}), want: "it is for ABI version 9, and this program has version 1"},
		"import":    {path: made(wasmtest.Module{Version: 1, Import: [2]string{"env", "steal"}}), want: "it imports env.steal, which no guest is given"},
		"newer":     {path: made(wasmtest.Module{Version: 1, Import: [2]string{"gsyncd_host_v2", "call"}}), want: "another version of this program"},
		"traps":     {path: made(wasmtest.Module{Version: 1}), want: "the guest failed: wasm error: unreachable"},
		"lies":      {path: packed(lie), want: "its manifest says something else than the module itself"},
		"claims":    {path: packed(claim), want: `claims the scheme "mem" of a built-in driver`},
		"name":      {path: good, edit: func(d *Declaration) { d.Name = "other" }, want: `calls itself "granted"`},
		"no directory": {path: good, edit: func(d *Declaration) {
			d.Grants.Dirs = []grant.DirConfig{{Path: "/nowhere/at/all"}}
		}, want: "the granted directory /nowhere/at/all does not exist"},
		"no variable": {path: good, edit: func(d *Declaration) {
			d.Grants.HTTP = []grant.OriginConfig{{URL: "https://example.test", Headers: []grant.Header{{Name: "A", Env: "NOT_SET"}}}}
		}, want: "NOT_SET is not set"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := guest(t, "granted", test.path)
			if test.edit != nil {
				test.edit(&d)
			}
			s := supervisor(t, registry(d), Options{Environ: []string{"XDG_CACHE_HOME=" + guests.CacheHome()}})
			_, err := s.Start(t.Context(), KindDriver, d.Name, "")
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "go-plugin") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A manifest that the module itself gave is believed; whatever stands in its place is
// no hindrance to asking it again.
func TestPackedGuest(t *testing.T) {
	said := sdk.Descriptor{Name: "tiny", Version: "1", Schemes: []string{"tiny"}, Roles: []sdk.Role{sdk.Primary, sdk.Secondary}, Schema: schema.Schema{{Name: "jobs", Type: schema.Count, Default: int64(2)}}}
	text, err := wire.AppendManifest(nil, said)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := wire.AppendManifest(nil, sdk.Descriptor{Name: "old", Version: "0", Schemes: []string{"old"}, Roles: said.Roles})
	if err != nil {
		t.Fatal(err)
	}
	module := wasmtest.Module{Version: 1, Answers: map[byte][]byte{byte(wasm.Describe): append([]byte{0}, text...)}}.Assemble()
	for _, before := range [][]byte{nil, stale, []byte("no manifest at all")} {
		data := module
		if before != nil {
			if data, err = wasmfile.Pack(data, before); err != nil {
				t.Fatal(err)
			}
		}
		d := guest(t, "", written(t, "tiny.wasm", data))
		d.Repack = true
		options := Options{Environ: []string{"XDG_CACHE_HOME=" + guests.CacheHome()}}
		if err := supervisor(t, registry(), options).Identify(t.Context(), &d); err != nil || d.Name != "tiny" {
			t.Fatal(d.Name, err)
		}
		desc, err := supervisor(t, registry(d), options).DescribeDriver(t.Context(), "tiny")
		if diff := cmp.Diff(said, desc); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
		if data, err = wasmfile.Pack(data, text); err != nil {
			t.Fatal(err)
		}
		d = guest(t, "tiny", written(t, "tiny.wasm", data))
		desc, found, err := Manifest(d.Path, d.SHA256)
		if diff := cmp.Diff(said, desc); diff != "" || !found || err != nil {
			t.Error(diff, found, err)
		}
		if _, err := supervisor(t, registry(d), options).Start(t.Context(), KindDriver, "tiny", ""); err != nil {
			t.Error(err)
		}
	}
}
