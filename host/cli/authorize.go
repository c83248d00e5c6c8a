package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/host/agent"
)

// maxKeyFile is more than any public key has.
const maxKeyFile = 64 << 10

// authorizeCommand prints what lets a key mirror and do nothing else.
func authorizeCommand(env *Env) *cobra.Command {
	var flags restrictionFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "authorize --root TREE [KEY.pub|-]",
		Short: "Print the line of authorized_keys that lets a key do nothing but mirror",
		Long: "authorize prints one line for the authorized_keys file of this machine. Who logs in with\n" +
			"the key then gets gsyncd-host's agent for the trees named, held to the options given, and\n" +
			"nothing else. Run it here, where the trees are: the line names this program and their paths.\n" +
			"The key is read from a .pub file, or from standard input.",
		Example: "  gsyncd-host authorize --root /srv/mirror --no-delete mirror.pub >> ~/.ssh/authorized_keys",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cwd, err := env.Getwd()
			if err != nil {
				return fail(err)
			}
			r, err := flags.restriction(func(s string) string { return resurl.Abs(cwd, s) })
			if err != nil {
				return usage(err)
			}
			for _, u := range r.Roots {
				if _, err := agent.New(agent.Options{URL: u.Long(), Drivers: env.Plugins.Drivers}); err != nil {
					return usage(fmt.Errorf("--root: %w", err))
				}
			}
			key, err := readKey(env, append(args, "-")[0])
			if err != nil {
				return err
			}
			program, err := env.Executable()
			if err != nil {
				return fail(fmt.Errorf("find this program: %w", err))
			}
			if strings.ContainsFunc(program, unicode.IsControl) || !filepath.IsAbs(program) {
				return fail(fmt.Errorf("the path of this program, %q, cannot be written into authorized_keys; install it elsewhere", program))
			}
			warnRoots(env, r)
			line := r.Line(program, key)
			if asJSON {
				roots := []string{}
				for _, u := range r.Roots {
					roots = append(roots, u.Long())
				}
				return json.NewEncoder(env.Stdout).Encode(map[string]any{
					"line": line, "fingerprint": ssh.FingerprintSHA256(key.Public), "roots": roots, "from": append([]netip.Prefix{}, r.From...),
					"access": r.Policy.Access.Flag(), "max_bytes": r.Policy.MaxBytes,
				})
			}
			_, err = fmt.Fprintln(env.Stdout, line)
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// readKey reads a public key from a file, or from standard input for "-".
func readKey(env *Env, name string) (agent.Key, error) {
	in, shown := env.Stdin, name
	if name == "-" {
		shown = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return agent.Key{}, usage(err)
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		return agent.Key{}, usage(errors.New("name the key's .pub file"))
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	if err != nil {
		return agent.Key{}, fail(fmt.Errorf("read %s: %w", shown, err))
	}
	key, err := agent.ParseKey(text)
	if err != nil {
		return agent.Key{}, usage(fmt.Errorf("%s: %w", shown, err))
	}
	return key, nil
}

// warnRoots tells of roots that are no directories as yet.
func warnRoots(env *Env, r *agent.Restriction) {
	for _, u := range r.Roots {
		path := u.Path()
		if path == "" {
			continue
		}
		what := "does not exist on this machine as yet"
		st, err := os.Stat(path)
		switch {
		case err == nil && st.IsDir():
			continue
		case err == nil:
			what = "is not a directory"
		case !errors.Is(err, os.ErrNotExist):
			what = "cannot be reached: " + err.Error()
		}
		_, _ = fmt.Fprintf(env.Stderr, "warning: %s %s\n", diag.Clean(path), diag.Clean(what))
	}
}
