package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The targets of runs through ssh, against rsync through the same ssh server.
const (
	targetSSHFirst   = 0.85
	targetSSHLatency = 1.2
	targetTrips      = 30 // of a first sync; about ten are the login's
)

// ssh measures big trees through ssh on the loopback interface.
func (b *bench) ssh(ctx context.Context) (rows []row, err error) {
	rows, err = b.far(ctx, 0, func() ([]row, error) {
		return b.firstAndQuiet(ctx, "Go tree through ssh", b.copyGo, targetSSHFirst, targetQuietGo)
	})
	if err != nil || !b.size.linux {
		return rows, err
	}
	more, err := b.far(ctx, 0, func() ([]row, error) {
		return b.firstAndQuiet(ctx, "linux-source through ssh", b.unpackLinux, targetSSHFirst, targetQuietLinux)
	})
	return append(rows, more...), err
}

// latency measures many small files through ssh over slower and slower
// networks, and how many round trips in a row the difference is.
func (b *bench) latency(ctx context.Context) (rows []row, err error) {
	added := []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond}
	var seen [][]row
	for _, rtt := range added {
		what := fmt.Sprintf("%d files through ssh, %v added", b.size.smallDirs*b.size.smallInDir, rtt)
		got, err := b.far(ctx, rtt, func() ([]row, error) {
			return b.firstAndQuiet(ctx, what, b.makeSmall, targetSSHLatency, targetSSHLatency)
		})
		rows = append(rows, got...)
		if err != nil {
			return rows, err
		}
		seen = append(seen, got)
	}
	last := len(added) - 1
	for i, what := range []string{"first sync", "nothing changed"} {
		r := row{what: what + ": round trips in a row", target: targetTrips, absolute: true, show: func(v float64) string { return fmt.Sprintf("%.1f", v) }}
		for _, p := range []int{yardstick, ours} {
			more := median(seen[last][i].values[p]) - median(seen[0][i].values[p])
			r.values[p] = []float64{more / (added[last] - added[0]).Seconds()}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// far runs a case with both programs reaching their secondary through an ssh
// server, with a round trip time added.
func (b *bench) far(ctx context.Context, rtt time.Duration, run func() ([]row, error)) (rows []row, err error) {
	s, err := b.newSSHD(ctx, rtt/2)
	if err != nil {
		return nil, err
	}
	near := b.programs
	b.programs = [2]*program{s.rsync(), s.ours(b)}
	defer func() {
		b.programs = near
		err = errors.Join(err, s.close())
	}()
	return run()
}
