package ssh

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxInclude is how deep configuration files may include others.
const maxInclude = 16

// sshConfig is what OpenSSH's configuration files say about one host. As with
// ssh, of several values of a keyword the first one counts.
type sshConfig struct {
	alias    string // the host as the user called it
	home     string
	values   map[string][]string
	warnings []string
}

// readConfig reads the user's configuration, then the machine's. A file that is
// not there says nothing.
func readConfig(alias string, me local) (*sshConfig, error) {
	c := &sshConfig{alias: alias, home: me.home, values: map[string][]string{}}
	for _, file := range []string{filepath.Join(me.home, ".ssh", "config"), filepath.Join(me.systemDir, "ssh_config")} {
		if err := c.file(file, filepath.Dir(file), true, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return c, nil
}

// get returns a keyword's first value, or "".
func (c *sshConfig) get(keyword string) string {
	if v := c.values[keyword]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// file reads a file. dir is what relative names of included files are relative
// to; active is whether its lines apply until a Host line says other.
func (c *sshConfig) file(name, dir string, active bool, depth int) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read ssh configuration: %w", err)
	}
	defer f.Close()
	outer := active
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		keyword, args, err := splitLine(lines.Text())
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
		switch {
		case keyword == "":
		case len(args) == 0:
			return fmt.Errorf("%s:%d: nothing follows %s", name, n, keyword)
		case keyword == "host":
			active = outer && matches(args, c.alias)
		case keyword == "match":
			active = outer && len(args) == 1 && strings.EqualFold(args[0], "all")
			if outer && !active {
				c.warnings = append(c.warnings, fmt.Sprintf("%s:%d: Match is not supported, and what follows it is left out", name, n))
			}
		case !active:
		case keyword == "include":
			if err := c.include(args, dir, depth); err != nil {
				return fmt.Errorf("%s:%d: %w", name, n, err)
			}
		default:
			c.set(keyword, args)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func (c *sshConfig) include(patterns []string, dir string, depth int) error {
	if depth >= maxInclude {
		return errors.New("files include each other too deep")
	}
	for _, p := range patterns {
		p = expandHome(p, c.home)
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		files, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("include %s: %w", p, err)
		}
		for _, file := range files {
			if err := c.file(file, dir, true, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// set keeps a keyword's values, unless it has some. Keys gather.
func (c *sshConfig) set(keyword string, args []string) {
	switch keyword {
	case "identityfile", "certificatefile":
		c.values[keyword] = append(c.values[keyword], args[0])
	case "userknownhostsfile", "globalknownhostsfile":
		if c.values[keyword] == nil {
			c.values[keyword] = args
		}
	default:
		if c.values[keyword] == nil {
			c.values[keyword] = args[:1]
		}
	}
}

// splitLine gives a line's keyword in lower case and its arguments.
func splitLine(line string) (string, []string, error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), nil, nil
	}
	if end == 0 {
		return "", nil, errors.New("a line has no keyword")
	}
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	var args []string
	for rest != "" && rest[0] != '#' {
		var arg string
		if rest[0] == '"' {
			var ok bool
			if arg, rest, ok = strings.Cut(rest[1:], `"`); !ok {
				return "", nil, errors.New("a quote is not closed")
			}
		} else if i := strings.IndexAny(rest, " \t"); i >= 0 {
			arg, rest = rest[:i], rest[i:]
		} else {
			arg, rest = rest, ""
		}
		args = append(args, arg)
		rest = strings.TrimLeft(rest, " \t")
	}
	return strings.ToLower(line[:end]), args, nil
}

// matches applies the patterns of a Host line. One with '!' that fits refuses.
func matches(patterns []string, host string) bool {
	found := false
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		// Brackets are no pattern to ssh.
		ok, err := path.Match(strings.NewReplacer("[", `\[`, `\`, `\\`).Replace(strings.ToLower(p)), strings.ToLower(host))
		if err != nil || !ok {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

func expandHome(name, home string) string {
	if name == "~" || strings.HasPrefix(name, "~/") {
		return home + name[1:]
	}
	return name
}
