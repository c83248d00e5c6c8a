package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/examples/https/manifest"
	"github.com/gsyncd/gsyncd-host/examples/internal/build"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// programs are what the tests of this package run.
var programs = &build.Programs{}

// TestMain is also the plugin's main function.
func TestMain(m *testing.M) { os.Exit(build.Main(m, programs, main)) }

// TestDriver runs the conformance suite on servers that show a directory in each
// of the ways there are: on the driver in this process, and as a guest.
func TestDriver(t *testing.T) {
	// Go's server knows no names that are not UTF-8, and nginx lists none.
	listing := drivertest.Lacks{Symlinks: true, Perms: true, OddNames: true, Mtime: time.Second}
	listed := drivertest.Lacks{OddNames: true}
	for _, c := range []struct {
		name  string
		serve func(t drivertest.T, dir string) string
		index string
		lacks drivertest.Lacks
		scale int
		guest bool
	}{
		{"manifest", serveManifest, byManifest, listed, 10, false},
		{"nginx", serveNginx, byListing, listing, 10, false},
		{"go", serveGo, byAuto, listing, 40, false}, // a request for each file
		{"guest", serveManifest, byManifest, listed, 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A plugin is granted an origin when it starts, before there is one.
			front, to := newFront(t)
			grants := grant.Config{HTTP: []grant.OriginConfig{{URL: front}}}
			cfg := drivertest.Config{
				New:   func() sdk.Driver { return &driver{log: quiet, do: grant.New(grants)} },
				Lacks: c.lacks, Scale: c.scale, Remote: true,
				Values: schema.Values{attrPlain: true, attrIndex: c.index, attrPiece: int64(sdk.MaxChunk)},
				Build: func(t drivertest.T, dir string) sdk.Address {
					to(c.serve(t, dir))
					return sdk.Address{Scheme: "https", Rest: strings.TrimPrefix(front, "http://")}
				},
			}
			if c.guest {
				launch := func(t drivertest.T) (sdk.Driver, func()) {
					return programs.LaunchGuest(t, programs.Guest(t, "https"), grants)
				}
				cfg.New, cfg.LaunchToKill = nil, launch
				cfg.Launch = func(t drivertest.T) sdk.Driver { d, _ := launch(t); return d }
			}
			drivertest.Run(t, cfg)
		})
	}
}

// newFront starts a server that passes requests on to one that is named later.
func newFront(t *testing.T) (front string, to func(origin string)) {
	t.Helper()
	var behind atomic.Pointer[httputil.ReverseProxy]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { behind.Load().ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	return s.URL, func(origin string) {
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		p := httputil.NewSingleHostReverseProxy(u)
		p.ErrorLog = log.New(io.Discard, "", 0)
		behind.Store(p)
	}
}

func serveGo(t drivertest.T, dir string) string {
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.URL
}

func serveManifest(t drivertest.T, dir string) string {
	if err := manifest.Make(dir); err != nil {
		t.Fatal(err)
	}
	// What the suite compares the tree with has no manifest.
	data, err := os.ReadFile(filepath.Join(dir, manifest.Name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, manifest.Name)); err != nil {
		t.Fatal(err)
	}
	made := time.Now()
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+manifest.Name {
			http.ServeContent(w, r, "", made, strings.NewReader(string(data)))
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// freeAddress gives an address that nobody else is given until the test ends: it is
// taken, and nobody listens there. A server that says it may use it again may, as nginx
// does.
func freeAddress(t drivertest.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", at.(*unix.SockaddrInet4).Port)
}

// serveNginx starts nginx, in the foreground, with nothing of the system's
// configuration.
func serveNginx(t drivertest.T, dir string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("SKIPPED, NOT TESTED: nginx is not installed (apt install nginx-light)")
	}
	addr := freeAddress(t)
	home := t.TempDir()
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  absolute_redirect off; server { listen %[2]s; root %[3]s; autoindex on; autoindex_format json; }
}
`, home, addr, dir)
	if err := os.WriteFile(filepath.Join(home, "conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", home, "-e", "stderr", "-c", filepath.Join(home, "conf"))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx: %s", said.String())
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return "http://" + addr
		}
	}
	t.Fatalf("nginx does not answer: %s", said.String())
	return ""
}
