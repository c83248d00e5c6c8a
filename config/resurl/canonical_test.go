package resurl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/config/resurl"
)

var errNoHost = errors.New("no such host")

var world = resurl.Resolver{
	User: "me",
	Host: func(name string) (string, error) {
		addr, ok := map[string]string{"localhost": "127.0.0.1", "h": "10.0.0.1", "s": "10.0.0.2", "six": "2001:db8::1", "::1": "::1"}[name]
		if !ok {
			return "", errNoHost
		}
		return addr, nil
	},
}

func TestCanonical(t *testing.T) {
	for raw, want := range map[string][2]string{
		"/my data":    {"file:///my%20data", "file%3A%2F%2F%2Fmy%2520data"},
		":vol":        {"gluster://127.0.0.1:vol", "gluster%3A%2F%2F127.0.0.1%3Avol"},
		"h::v_1":      {"ssh://me@10.0.0.1:gluster://127.0.0.1:v_1", "ssh%3A%2F%2Fme%4010.0.0.1%3Agluster%3A%2F%2F127.0.0.1%3Av_1"},
		"u@h:/d":      {"ssh://u@10.0.0.1:file:///d", "ssh%3A%2F%2Fu%4010.0.0.1%3Afile%3A%2F%2F%2Fd"},
		"ssh://h:s:v": {"ssh://me@10.0.0.1:gluster://10.0.0.2:v", "ssh%3A%2F%2Fme%4010.0.0.1%3Agluster%3A%2F%2F10.0.0.2%3Av"},
		"six:/d":      {"ssh://me@[2001:db8::1]:file:///d", "ssh%3A%2F%2Fme%40%5B2001%3Adb8%3A%3A1%5D%3Afile%3A%2F%2F%2Fd"},
		"[0::1]:v":    {"gluster://[::1]:v", "gluster%3A%2F%2F%5B%3A%3A1%5D%3Av"},
		"s3://b/p":    {"s3://b/p", "s3%3A%2F%2Fb%2Fp"},
	} {
		u, err := resurl.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := u.Canonical(world)
		if err != nil || plain != want[0] {
			t.Errorf("%q: canonical %q, %v; want %q", raw, plain, err, want[0])
		}
		escaped, err := u.EscapedCanonical(world)
		if err != nil || escaped != want[1] {
			t.Errorf("%q: escaped %q, %v; want %q", raw, escaped, err, want[1])
		}
	}
}

func TestCanonicalUnknownHost(t *testing.T) {
	for _, raw := range []string{"nowhere:v", "nowhere:/d", "ssh://h:nowhere:v"} {
		u, err := resurl.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.EscapedCanonical(world); !errors.Is(err, errNoHost) {
			t.Errorf("%q: %v, want %v", raw, err, errNoHost)
		}
	}
}

func TestEscapedCanonicalIsOneComponent(t *testing.T) {
	seen := map[string]bool{}
	for _, tail := range []string{"a", "b"} {
		u, err := resurl.Parse("/" + strings.Repeat("long/", 100) + tail)
		if err != nil {
			t.Fatal(err)
		}
		s, err := u.EscapedCanonical(world)
		if err != nil || len(s) != 255 || strings.Contains(s, "/") || seen[s] {
			t.Errorf("escaped form %q, %v", s, err)
		}
		seen[s] = true
	}
}
