package gluster

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// bricks is what a mount knows of the parts over which a volume is distributed:
// each a brick, or a set of bricks of which enough are there.
type bricks struct {
	down  []string // those that are gone
	count int
	gen   string // changes when one comes back
}

// readBricks looks into the mount's own account of itself. An older or newer
// Gluster that has none tells nothing: then all are taken to be there.
func readBricks(mnt, volume string) (bricks, error) {
	b, err := os.ReadFile(filepath.Join(mnt, ".meta/graphs/active", volume+"-dht", "private"))
	if errors.Is(err, fs.ErrNotExist) {
		return bricks{}, nil
	}
	if err != nil {
		return bricks{}, sdk.NewError("look at the bricks", "", err)
	}
	return parseBricks(b), nil
}

// parseBricks reads lines such as "subvolume_status[0] = 1".
func parseBricks(b []byte) bricks {
	var s bricks
	names := map[string]string{}
	var down []string
	for line := range bytes.Lines(b) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), " = ")
		if !ok {
			continue
		}
		switch i := index(key); {
		case key == "gen":
			s.gen = value
		case strings.HasPrefix(key, "subvolume_status["):
			s.count++
			if value != "1" {
				down = append(down, i)
			}
		case strings.HasPrefix(key, "subvolumes[") && names[i] == "":
			names[i] = value[strings.LastIndexByte(value, '.')+1:]
		}
	}
	for _, i := range down {
		s.down = append(s.down, names[i])
	}
	return s
}

func index(key string) string {
	_, i, _ := strings.Cut(key, "[")
	return strings.TrimSuffix(i, "]")
}

// err is the error of a volume of which a part is gone, nil if none is.
func (b bricks) err() error {
	if len(b.down) == 0 {
		return nil
	}
	return &sdk.Error{Kind: sdk.KindTransient, Op: "look at the bricks", Msg: "a part of the volume is not there: " + strings.Join(b.down, ", ") + " has no brick that answers; see gluster volume status"}
}
