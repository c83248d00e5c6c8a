package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// blocks gives the fenced blocks of a language in a page.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	check(t, err)
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			out = append(out, m[2])
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no blocks of %s", page, language)
	}
	return out
}

const pluginsPage = "../../../docs/plugins.md"

// TestTutorial does what the page about plugins says, command by command, as
// somebody who begins with an empty home and a checkout.
func TestTutorial(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	checkout, err := filepath.Abs("../../..")
	check(t, err)
	check(t, os.Symlink(checkout, filepath.Join(home, "gsyncd-host")))
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "cd; set -x\n"+strings.Join(blocks(t, pluginsPage, "sh"), "\n"))
	cmd.Env = append(goEnviron(t), "HOME="+home, "XDG_DATA_HOME="+home+"/.local/share", "PATH="+os.Getenv("PATH"), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"\nGood morning, anna!\n",
		"\npacked greet.driver.wasm: driver greet 0.2.0\n",
		"\nnames: in sync: 2 files",
		"is not the file that was declared: its sha256 is another\n",
		"\n1 mirror: all is well\n",
		" declared at conf/greet.hcl:1:1\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if n := strings.Count(string(out), "\n16 passed, 0 failed, 1 do not apply\n"); n != 2 {
		t.Errorf("%d of 2 checks passed\n%s", n, out)
	}
	refusesLie(t, home, cmd.Env)
}

// refusesLie takes the tutorial's module and has its manifest say another thing than
// the module does.
func refusesLie(t *testing.T, home string, environ []string) {
	t.Helper()
	path := filepath.Join(home, "greet", "greet.driver.wasm")
	data, err := os.ReadFile(path)
	check(t, err)
	desc := sdk.Descriptor{Name: "greet", Version: "0.2.0", Schemes: []string{"greet"}, Roles: []sdk.Role{sdk.Primary}}
	manifest, err := wire.AppendManifest(nil, desc)
	check(t, err)
	data, err = wasmfile.Pack(data, manifest)
	check(t, err)
	check(t, os.WriteFile(path, data, 0o644))
	cmd := exec.CommandContext(t.Context(), filepath.Join(home, "bin", "gsyncd-host"), "plugin", "check", path, "--url", "greet://anna")
	cmd.Env = environ
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "its manifest says something else than the module itself") {
		t.Errorf("%v\n%s", err, out)
	}
	// What it says to that helps.
	for _, args := range [][]string{{"pack", path}, {"check", path, "--url", "greet://anna"}} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(home, "bin", "gsyncd-host"), append([]string{"plugin"}, args...)...)
		cmd.Env = environ
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
}

// goEnviron is how Go is set up here, for a process with another home. It builds as
// the tasks do, so that what they have compiled is not compiled again.
func goEnviron(t *testing.T) []string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN").Output()
	check(t, err)
	values := map[string]string{}
	check(t, json.Unmarshal(text, &values))
	out := []string{"GOFLAGS=-buildvcs=false -trimpath", "CGO_ENABLED=0"}
	for name, v := range values {
		out = append(out, name+"="+v)
	}
	return out
}

// TestPluginsPage loads the configuration that the page shows.
func TestPluginsPage(t *testing.T) {
	for _, block := range blocks(t, pluginsPage, "hcl") {
		path := filepath.Join(t.TempDir(), "page.hcl")
		check(t, os.WriteFile(path, []byte(block), 0o600))
		if _, diags := config.Load(config.Options{Path: path, PluginsOnly: true}); len(diags) > 0 {
			t.Errorf("%v\n%s", diags, block)
		}
	}
}
