package resurl_test

import (
	"errors"
	"testing"

	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestParseLong(t *testing.T) {
	for raw, want := range map[string]string{
		"/":                             "file:///",
		"/data":                         "file:///data",
		"/data/":                        "file:///data",
		"//data//x/../y/./":             "file:///data/y",
		"/../..":                        "file:///",
		"/my data":                      "file:///my%20data",
		"/my%20data":                    "file:///my%2520data",
		"/a:b@c":                        "file:///a:b@c",
		"/a://b":                        "file:///a:/b",
		"/glob*?[":                      "file:///glob%2A%3F%5B",
		"/new\nline\xff":                "file:///new%0Aline%FF",
		"/größe":                        "file:///größe",
		"file:///my%20data":             "file:///my%20data",
		"file:///%41/%2e%2E/x":          "file:///x",
		"gluster://h.example:vol":       "gluster://h.example:vol",
		"h:vol":                         "gluster://h:vol",
		"10.0.0.1:vol-1":                "gluster://10.0.0.1:vol-1",
		":vol":                          "gluster://localhost:vol",
		"h:/data":                       "ssh://h:file:///data",
		"h::vol":                        "ssh://h:gluster://localhost:vol",
		"u@h:/data/":                    "ssh://u@h:file:///data",
		"u@h::vol":                      "ssh://u@h:gluster://localhost:vol",
		"u@h:/a%20b":                    "ssh://u@h:file:///a%2520b",
		"ssh://h:/data":                 "ssh://h:file:///data",
		"ssh://u@h:file:///a%20b":       "ssh://u@h:file:///a%20b",
		"ssh://h:gluster://s:vol":       "ssh://h:gluster://s:vol",
		"ssh://h:s:vol":                 "ssh://h:gluster://s:vol",
		"ssh://file:/data":              "ssh://file:file:///data",
		"u@h://data":                    "ssh://u@h:file:///data",
		"s3://bucket/some prefix?x=[*]": "s3://bucket/some prefix?x=[*]",
		"x-y+z.1://a":                   "x-y+z.1://a",
		"[::1]:/data":                   "ssh://[::1]:file:///data",
		"u@[::1]:/a:b]":                 "ssh://u@[::1]:file:///a:b]",
		"u@[2001:DB8:0::1]::v":          "ssh://u@[2001:db8::1]:gluster://localhost:v",
		"ssh://u@[fe80::1%eth0]:/d":     "ssh://u@[fe80::1%eth0]:file:///d",
		"[::1]:vol":                     "gluster://[::1]:vol",
		"gluster://[::1]:vol":           "gluster://[::1]:vol",
		"ssh://[::1]:[::2]:vol":         "ssh://[::1]:gluster://[::2]:vol",
		"[::ffff:10.0.0.1]:/d":          "ssh://[::ffff:10.0.0.1]:file:///d",
	} {
		u, err := resurl.Parse(raw)
		if err != nil {
			t.Errorf("Parse(%q): %v", raw, err)
			continue
		}
		if got := u.Long(); got != want {
			t.Errorf("Parse(%q).Long() = %q, want %q", raw, got, want)
		}
		if again, err := resurl.Parse(u.Long()); err != nil || again != u {
			t.Errorf("Parse(%q) = %#v, %v; want %#v", u.Long(), again, err, u)
		}
	}
}

func TestParts(t *testing.T) {
	type parts struct{ Scheme, User, Host, Path, Volume string }
	for raw, want := range map[string]struct {
		parts
		addr  sdk.Address
		inner string
	}{
		"/my data":         {parts{"file", "", "", "/my data", ""}, sdk.Address{Scheme: "file", Rest: "/my data"}, "file:///my%20data"},
		":v":               {parts{"gluster", "", "localhost", "", "v"}, sdk.Address{Scheme: "gluster", Rest: "localhost:v"}, "gluster://localhost:v"},
		"u@h:/x":           {parts{"ssh", "u", "h", "/x", ""}, sdk.Address{Scheme: "ssh", Rest: "u@h:file:///x"}, "file:///x"},
		"ssh://h:s:v":      {parts{"ssh", "", "h", "", "v"}, sdk.Address{Scheme: "ssh", Rest: "h:gluster://s:v"}, "gluster://s:v"},
		"u@[::1]:/x":       {parts{"ssh", "u", "::1", "/x", ""}, sdk.Address{Scheme: "ssh", Rest: "u@[::1]:file:///x"}, "file:///x"},
		"s3://bucket/path": {parts{"s3", "", "", "", ""}, sdk.Address{Scheme: "s3", Rest: "bucket/path"}, "s3://bucket/path"},
	} {
		u, err := resurl.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := (parts{u.Scheme(), u.User(), u.Host(), u.Path(), u.Volume()}); got != want.parts {
			t.Errorf("%q: %+v, want %+v", raw, got, want.parts)
		}
		if got := u.Address(); got != want.addr {
			t.Errorf("%q: address %+v, want %+v", raw, got, want.addr)
		}
		if got := u.Inner().Long(); got != want.inner {
			t.Errorf("%q: inner %s, want %s", raw, got, want.inner)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for raw, want := range map[string]struct {
		bad     string // what the error points at
		summary string
	}{
		"":                        {"", "the URL is empty"},
		"data":                    {"data", `"data" is neither an absolute path nor a URL`},
		"./data":                  {"./data", `"./data" is neither an absolute path nor a URL`},
		"Foo://x":                 {"Foo", `"Foo" is not a scheme`},
		"1x://x":                  {"1x", `"1x" is not a scheme`},
		"file:/data":              {"file:", "file: lacks its slashes"},
		"file://data":             {"data", "the path of a file URL must be absolute"},
		"file:///a b":             {" ", "a blank cannot stand in a URL of this kind"},
		"file:///a%2":             {"%2", `"%2" is not % and two hexadecimal digits`},
		"file:///a%zz":            {"%zz", `"%zz" is not % and two hexadecimal digits`},
		"file:///a%00":            {"%00", "a path cannot hold a NUL byte"},
		"/a\x00":                  {"\x00", "a path cannot hold a NUL byte"},
		":":                       {"", "nothing follows the colon"},
		"h:":                      {"", "nothing follows the colon"},
		"h:vol*":                  {"*", `'*' cannot stand in a URL of this kind`},
		"h:v[x]":                  {"[", `'[' cannot stand in a URL of this kind`},
		"h:/a b":                  {" ", "a blank cannot stand in a URL of this kind"},
		"h:/a?":                   {"?", `'?' cannot stand in a URL of this kind`},
		":a/b":                    {"a/b", `"a/b" is not the name of a volume`},
		"gluster://h":             {"", "no volume follows the host"},
		"gluster://-h:v":          {"-h", `"-h" is not the name of a host`},
		"ssh://h":                 {"", "no path or volume follows the host"},
		"ssh://h:":                {"", "the URL is empty"},
		"u@h:vol":                 {"vol", `"vol" is neither an absolute path nor a URL`},
		"-oProxyCommand=x@h:/d":   {"-oProxyCommand=x", `"-oProxyCommand=x" is not the name of a user`},
		"@h:/d":                   {"", `"" is not the name of a user`},
		"ssh://h:ssh://i:/d":      {"i:/d", "an ssh URL cannot lead through another one"},
		"ssh://h:22:/d":           {"22:/d", "an ssh URL cannot lead through another one"},
		"ssh://h:s3://b":          {"s3", "s3:// cannot be reached over ssh"},
		"s3://":                   {"", "nothing follows s3://"},
		"s3://a\x1b":              {"\x1b", "the URL has a byte that is no printable text"},
		"://x":                    {"//x", `"//x" is not the name of a volume`},
		"u@[::1:/d":               {"[", `"[" is not an address`},
		"u@[::1]x:/d":             {"[::1]x", `"[::1]x" is not an address`},
		"[10.0.0.1]:/d":           {"[10.0.0.1]", `"[10.0.0.1]" is not an address`},
		"[fe80::1%a b]:/d":        {"[fe80::1%a b]", `"[fe80::1%a b]" is not an address`},
		"[]:/d":                   {"[]", `"[]" is not an address`},
		"[::1]":                   {"[::1]", `"[::1]" is neither an absolute path nor a URL`},
		"ssh://[::1]":             {"", "no path or volume follows the host"},
		"::1:/d":                  {":1:/d", `":1:/d" is not the name of a volume`},
		"ssh://u@h:file:///a%2*b": {"*", `'*' cannot stand in a URL of this kind`},
	} {
		_, err := resurl.Parse(raw)
		var pe *resurl.ParseError
		if !errors.As(err, &pe) {
			t.Errorf("Parse(%q): %v, want a ParseError", raw, err)
			continue
		}
		if got := raw[pe.Start:pe.End]; got != want.bad || pe.Summary != want.summary {
			t.Errorf("Parse(%q): %q at %q, want %q at %q", raw, pe.Summary, got, want.summary, want.bad)
		}
	}
}

func TestAbs(t *testing.T) {
	for raw, want := range map[string]string{
		".": "/w", "./a": "/w/a", "..": "/", "../a b": "/a b",
		"a": "a", "/a": "/a", ".a": ".a", ":vol": ":vol", "h:./x": "h:./x", "": "", "~/x": "~/x",
	} {
		if got := resurl.Abs("/w", raw); got != want {
			t.Errorf("Abs(%q) = %q, want %q", raw, got, want)
		}
	}
}
