package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
)

// TestScripts runs what people type. $THIRD has drivers that are not built in, all
// with the checksum $SUM. Beside the commands of testscript, and the
// condition [root], there are
//
//	code N COMMAND...    run it; its exit code must be N
//	same DIR DIR         both trees are equal in all that a mirror keeps
//	tidy DIR             nothing of the program's own is left in it
//	field FILE PATH WANT a field of the JSON in FILE, "done.files" say, prints as WANT
//	module FILE HEX [MANIFEST]
//	                     write bytes, with what is in MANIFEST as a module's manifest; $MODULE is their checksum
//	mtime FILE N         set a file's modification time to N seconds after 1970
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			// Compiled modules are kept below the home.
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("STATE", filepath.Join(env.WorkDir, "state"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("THIRD", filepath.Join(env.WorkDir, "third"))
			sum, err := thirdParty(env.Getenv("THIRD"))
			env.Setenv("SUM", sum)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": scriptCode, "same": scriptSame, "tidy": scriptTidy, "field": scriptField, "mtime": scriptMtime,
			"module": scriptModule,
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Geteuid() == 0, nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\n[stdout]\n%s[stderr]\n%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func scriptSame(ts *testscript.TestScript, neg bool, args []string) {
	a, err := describe(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := describe(ts.MkAbs(args[1]))
	ts.Check(err)
	if diff := cmp.Diff(strings.Split(a, "\n"), strings.Split(b, "\n")); (diff == "") == neg {
		ts.Fatalf("equal: %v; difference (-%s +%s):\n%s", neg, args[0], args[1], diff)
	}
}

func scriptTidy(ts *testscript.TestScript, neg bool, args []string) {
	left, err := leftovers(ts.MkAbs(args[0]))
	ts.Check(err)
	if (len(left) == 0) == neg {
		ts.Fatalf("leftovers: %q", left)
	}
}

func scriptField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: field FILE PATH WANT")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for name := range strings.SplitSeq(args[1], ".") {
		switch parent := v.(type) {
		case map[string]any:
			v = parent[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(parent) {
				ts.Fatalf("%s: %d elements", args[1], len(parent))
			}
			v = parent[i]
		default:
			ts.Fatalf("%s: no such field", args[1])
		}
	}
	if got := fmt.Sprint(v); (got == args[2]) == neg {
		ts.Fatalf("%s is %q, want %q (negated: %v)\n%s", args[1], got, args[2], neg, ts.ReadFile(args[0]))
	}
}

func scriptModule(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: module FILE HEX [MANIFEST]")
	}
	data, err := hex.DecodeString(args[1])
	ts.Check(err)
	if len(args) == 3 {
		data, err = wasmfile.Pack(data, []byte(ts.ReadFile(args[2])))
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
	ts.Setenv("MODULE", fmt.Sprintf("%x", sha256.Sum256(data)))
}

func scriptMtime(ts *testscript.TestScript, _ bool, args []string) {
	sec, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Chtimes(ts.MkAbs(args[0]), time.Unix(sec, 0), time.Unix(sec, 0)))
}
