package mover_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestScratch(t *testing.T) {
	src, dst := os.Getenv("B_SRC"), os.Getenv("B_DST")
	if src == "" {
		t.Skip()
	}
	ctx := context.Background()
	d := file.New(nil)
	s, err := d.OpenSource(ctx, sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: src}, Role: sdk.Primary})
	if err != nil {
		t.Fatal(err)
	}
	g, err := d.OpenTarget(ctx, sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: dst}, Role: sdk.Secondary, MarkKey: "x"})
	if err != nil {
		t.Fatal(err)
	}
	nj, _ := strconv.Atoi(os.Getenv("B_JOBS"))
	cfg := mover.Config{Source: s, Target: g, Jobs: nj, Method: "stream"}
	m, err := mover.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	jobs := make(chan mover.Job, 256)
	go func() {
		defer close(jobs)
		n := 0
		filepath.WalkDir(src, func(p string, e fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(src, p)
			if e.IsDir() {
				os.MkdirAll(filepath.Join(dst, rel), 0o700)
				return nil
			}
			if !e.Type().IsRegular() {
				return nil
			}
			i, _ := e.Info()
			n++
			q := sdk.Path(rel)
			jobs <- mover.Job{Path: q, Staged: q.Dir().Join(sdk.ReservedPrefix + strconv.Itoa(n)), Entry: sdk.Entry{Size: i.Size()}}
			return nil
		})
	}()
	bad := 0
	err = m.Run(ctx, jobs, func(r mover.Result) {
		if r.Err != nil {
			bad++
			fmt.Println(r.Err)
		}
	})
	run := time.Since(start)
	f, _ := os.Open(dst)
	unix.Syncfs(int(f.Fd()))
	fmt.Printf("run %.2f total %.2f err %v bad %d %+v\n", run.Seconds(), time.Since(start).Seconds(), err, bad, m.Stats())
}
