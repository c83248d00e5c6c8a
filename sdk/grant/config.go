//go:build !wasip1

package grant

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
)

// Config says what is granted. The zero value grants nothing.
type Config struct {
	Dirs []DirConfig    `json:"dirs,omitempty"`
	HTTP []OriginConfig `json:"http,omitempty"`
}

// OriginConfig grants an origin of the web: its requests are GET and HEAD.
type OriginConfig struct {
	// URL is "https://host", with ":port" if it is not the usual one, and perhaps
	// with a path that ends in "/": then only what is below it. "http" is for what
	// needs no protection on its way.
	URL string `json:"url"`
	// Headers are added to each request to the origin.
	Headers []Header `json:"headers,omitempty"`
	// CAFile is a PEM file with the certificates that may vouch for the origin,
	// instead of the system's. Absolute; empty means the system's.
	CAFile string `json:"ca_file,omitempty"`
}

// Header is a header whose value the driver need not know: a credential. At most
// one of Value, Env and File is set.
type Header struct {
	Name   string `json:"name"`             // such as "Authorization"
	Prefix string `json:"prefix,omitempty"` // stands before the value, such as "Bearer "
	Value  string `json:"value,omitempty"`
	Env    string `json:"env,omitempty"`  // a variable of the host's environment
	File   string `json:"file,omitempty"` // an absolute path; white space around what is in it does not count
}

// Empty reports whether nothing is granted.
func (c *Config) Empty() bool { return len(c.Dirs)+len(c.HTTP) == 0 }

// Validate checks the form alone; it looks at no file. Errors name the grant.
func (c *Config) Validate() error {
	for i, d := range c.Dirs {
		switch {
		case !path.IsAbs(d.Path) || path.Clean(d.Path) != d.Path || strings.IndexByte(d.Path, 0) >= 0:
			return fmt.Errorf("directory %q: write an absolute path without \".\", \"..\" and a slash at the end", d.Path)
		case slices.ContainsFunc(c.Dirs[:i], func(o DirConfig) bool { return o.Path == d.Path }):
			return fmt.Errorf("directory %q is granted twice", d.Path)
		}
	}
	for i := range c.HTTP {
		o := &c.HTTP[i]
		if err := o.validate(); err != nil {
			return fmt.Errorf("origin %q: %w", o.URL, err)
		}
		if slices.ContainsFunc(c.HTTP[:i], func(p OriginConfig) bool { return p.URL == o.URL }) {
			return fmt.Errorf("origin %q is granted twice", o.URL)
		}
	}
	return nil
}

// Reachable looks whether what is granted is there, as far as that costs nothing.
func (c *Config) Reachable() error {
	for _, d := range c.Dirs {
		st, err := os.Stat(d.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("the granted directory %s does not exist", d.Path)
		case err != nil:
			return fmt.Errorf("granted directory: %w", err)
		case !st.IsDir():
			return fmt.Errorf("%s is granted as a directory, and is none", d.Path)
		}
	}
	for i := range c.HTTP {
		if o := &c.HTTP[i]; o.CAFile != "" {
			if _, err := certificates(o.CAFile); err != nil {
				return fmt.Errorf("origin %q: %w", o.URL, err)
			}
		}
	}
	return nil
}

func (o *OriginConfig) validate() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return errors.New("it is no URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("write https:// or http:// in front")
	case u.Hostname() == "":
		return errors.New("it names no host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("write scheme, host and path alone; credentials belong into a header")
	case u.Path != "" && (!strings.HasSuffix(u.Path, "/") || path.Clean(u.Path)+"/" != u.Path && u.Path != "/"):
		return errors.New("its path must end in \"/\" and hold no \".\" or \"..\"")
	case hidesSeparator(u):
		return errors.New("its path must hold no encoded slash and no backslash")
	case o.CAFile != "" && !path.IsAbs(o.CAFile):
		return fmt.Errorf("ca_file %q is not absolute", o.CAFile)
	}
	for _, h := range o.Headers {
		if err := h.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (h *Header) validate() error {
	set := 0
	for _, s := range []string{h.Value, h.Env, h.File} {
		if s != "" {
			set++
		}
	}
	switch {
	case !validToken(h.Name):
		return fmt.Errorf("%q cannot be the name of a header", h.Name)
	case connectionHeader(h.Name):
		return fmt.Errorf("header %s is not for the configuration to set", h.Name)
	case set > 1:
		return fmt.Errorf("header %s: its value has more than one place", h.Name)
	case h.File != "" && !path.IsAbs(h.File):
		return fmt.Errorf("header %s: the path %q is not absolute", h.Name, h.File)
	case strings.ContainsAny(h.Prefix+h.Value, "\r\n\x00"):
		return fmt.Errorf("header %s: its value has more than one line", h.Name)
	}
	return nil
}

// connectionHeader names what belongs to the connection or to the driver.
func connectionHeader(name string) bool {
	return slices.ContainsFunc([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer", "Range"},
		func(s string) bool { return strings.EqualFold(s, name) })
}

func validToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
