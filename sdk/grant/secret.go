//go:build !wasip1

package grant

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Resolve returns c with the values of all headers, read from where they are. The
// host does it when it starts the plugin, which needs neither its environment nor
// the file then.
func (c Config) Resolve(lookup func(name string) (string, bool)) (Config, error) {
	c.HTTP = slices.Clone(c.HTTP)
	for i := range c.HTTP {
		o := &c.HTTP[i]
		o.Headers = slices.Clone(o.Headers)
		for j := range o.Headers {
			v, err := o.Headers[j].resolve(lookup)
			if err != nil {
				return c, fmt.Errorf("origin %s: %w", o.URL, err)
			}
			o.Headers[j] = Header{Name: o.Headers[j].Name, Value: v}
		}
	}
	return c, nil
}

// maxSecret is the longest value of a header from a file.
const maxSecret = 16 << 10

func (h *Header) resolve(lookup func(string) (string, bool)) (string, error) {
	v := h.Value
	switch {
	case h.Env != "":
		var ok bool
		if v, ok = lookup(h.Env); !ok || v == "" {
			return "", fmt.Errorf("header %s: the variable %s is not set", h.Name, h.Env)
		}
	case h.File != "":
		b, err := os.ReadFile(h.File)
		if err != nil {
			return "", fmt.Errorf("header %s: %w", h.Name, err)
		}
		if v = strings.TrimSpace(string(b)); v == "" || len(v) > maxSecret {
			return "", fmt.Errorf("header %s: %s is empty or too long", h.Name, h.File)
		}
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return "", fmt.Errorf("header %s: its value has more than one line", h.Name)
	}
	return h.Prefix + v, nil
}
