package glusterlab

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"testing"
)

// BrickDir is where brick i, from 0, keeps its files.
func (v *Volume) BrickDir(i int) string {
	return v.lab.path("brick", v.name+"-"+strconv.Itoa(i))
}

// Bricks is the number of bricks.
func (v *Volume) Bricks() int {
	n, _ := v.layout.bricks()
	return n
}

// BrickPID is the process of brick i, 0 when it is down.
func (v *Volume) BrickPID(t testing.TB, i int) int {
	t.Helper()
	all, err := processes(v.lab.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if v.serves(p, i) {
			return p.pid
		}
	}
	return 0
}

// KillBrick ends brick i as a power cut would, less the lost page cache.
func (v *Volume) KillBrick(t testing.TB, i int) {
	t.Helper()
	if err := end(v.lab.dir, func(p process) bool { return v.serves(p, i) }); err != nil {
		t.Fatal(err)
	}
}

func (v *Volume) serves(p process, i int) bool {
	return p.after("--brick-name") == v.BrickDir(i)
}

// RestartBrick starts brick i after it was killed, and every other brick that
// is down, and waits till they are up: some 3 s, till glusterd has noticed that it was down. Mounts find it again by
// themselves within a few seconds more.
func (v *Volume) RestartBrick(t testing.TB, i int) {
	t.Helper()
	Await(t, "brick restarts", func() error {
		if _, err := v.lab.gluster("volume", "start", v.name, "force"); err != nil {
			return err
		}
		if v.BrickPID(t, i) == 0 {
			return fmt.Errorf("brick %d of %s is down", i, v.name)
		}
		return nil
	})
	v.awaitBricks(t)
}

// awaitBricks waits till all bricks are open for clients.
func (v *Volume) awaitBricks(t testing.TB) {
	t.Helper()
	Await(t, "bricks are up", func() error {
		text, err := v.lab.gluster("volume", "status", v.name, "--xml")
		if err != nil {
			return err
		}
		var status struct {
			Nodes []struct {
				Path   string `xml:"path"`
				Status int    `xml:"status"`
			} `xml:"volStatus>volumes>volume>node"`
		}
		if err := xml.Unmarshal([]byte(text), &status); err != nil {
			return fmt.Errorf("read volume status: %w", err)
		}
		up := map[string]bool{}
		for _, n := range status.Nodes {
			up[n.Path] = n.Status == 1
		}
		for i := range v.Bricks() {
			if !up[v.BrickDir(i)] {
				return fmt.Errorf("brick %d of %s is not up", i, v.name)
			}
		}
		return nil
	})
	if err := v.lab.noteSockets(); err != nil {
		t.Fatal(err)
	}
}
