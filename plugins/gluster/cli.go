package gluster

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const cliWithin = 20 * time.Second

// gluster runs Gluster's command line and returns what it printed.
func gluster(ctx context.Context, cli []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cliWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, cli[0], append(append(append([]string{}, cli[1:]...), "--mode=script"), args...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		if text := strings.TrimSpace(string(out)); text != "" {
			first, _, _ := strings.Cut(text, "\n")
			err = errors.New(first)
		}
		return "", err
	}
	return string(out), nil
}

// indexCommand turns a volume's index on.
func indexCommand(volume string) []string {
	return []string{"volume", "set", volume, "geo-replication.indexing", "on"}
}

// enableIndex turns a volume's index on. Gluster allows that on its own machines
// only.
func enableIndex(ctx context.Context, cli []string, volume string) error {
	args := indexCommand(volume)
	if _, err := gluster(ctx, cli, args...); err != nil {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "turn on the index of volume " + volume, Msg: err.Error() + "; run this on a machine of the volume: gluster " + strings.Join(args, " ")}
	}
	return nil
}

// cliUUID asks the server for a volume's UUID; zero if it cannot be had so.
func cliUUID(ctx context.Context, cli []string, a address) sdk.UUID {
	args := []string{"volume", "info", a.volume}
	if len(cli) == 1 {
		args = append([]string{"--remote-host=" + a.host}, args...)
	}
	out, err := gluster(ctx, cli, args...)
	if err != nil {
		return sdk.UUID{}
	}
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "Volume ID: "); ok {
			if u, err := sdk.ParseUUID(strings.TrimSpace(text)); err == nil {
				return u
			}
		}
	}
	return sdk.UUID{}
}
