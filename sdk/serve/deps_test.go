package serve

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A guest is made of the standard library and of the sdk's rooms for guests: neither
// protobuf nor gRPC, and nothing that would want a network or x/sys.
func TestGuestNeedsStandardLibraryOnly(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .Standard}}std {{end}}{{.ImportPath}}", ".", "../grant", "../wasm")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const sdk = "github.com/gsyncd/gsyncd-host/sdk"
	own := map[string]bool{sdk: true, sdk + "/schema": true, sdk + "/wire": true, sdk + "/wasm": true, sdk + "/serve": true, sdk + "/grant": true}
	for line := range strings.Lines(string(out)) {
		name, std := strings.CutPrefix(strings.TrimSpace(line), "std ")
		switch {
		case std && (name == "net" || strings.HasPrefix(name, "net/http") || strings.HasPrefix(name, "crypto/")):
			t.Errorf("a guest would hold %s", name)
		case !std && !own[name]:
			t.Errorf("a guest would need %s", name)
		}
		delete(own, name)
	}
	if len(own) > 0 {
		t.Errorf("not looked at: %v", own)
	}
}
