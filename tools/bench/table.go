package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// row is a line of the table: the values of both programs, round by round.
type row struct {
	what   string
	values [2][]float64 // rsync's, ours
	pick   func(usage) float64
	show   func(float64) string
	target float64
	// absolute: the target is ours alone, not a ratio to rsync's value.
	absolute bool
}

func timeRow(what string, target float64) row {
	return row{what: what, target: target, pick: func(u usage) float64 { return u.seconds }, show: seconds}
}

func bytesRow(what string, target float64) row {
	return row{what: what, target: target, pick: func(u usage) float64 { return float64(u.written) }, show: size}
}

func memoryRow(what string) row {
	return row{what: what, target: targetMemory, absolute: true, pick: func(u usage) float64 { return float64(u.memory) }, show: size}
}

func shareRow(what string, share float64) row {
	return row{what: what, target: targetIdleShare, absolute: true, values: [2][]float64{nil, {share}},
		show: func(v float64) string { return fmt.Sprintf("%.2f %%", v*100) }}
}

// add enters what a run of program i took.
func (r *row) add(i int, u usage) { r.values[i] = append(r.values[i], r.pick(u)) }

// ratios gives ours over rsync's, by round.
func (r *row) ratios() []float64 {
	var out []float64
	for n, theirs := range r.values[0] {
		if n < len(r.values[1]) && theirs > 0 {
			out = append(out, r.values[1][n]/theirs)
		}
	}
	return out
}

// cells renders the row.
func (r *row) cells() [6]string {
	c := [6]string{r.what, "-", "-", "-", fmt.Sprintf("%.4g", r.target), "-"}
	for i, v := range r.values {
		if len(v) > 0 {
			c[1+i] = r.show(median(v))
		}
	}
	ratios := r.ratios()
	if len(ratios) > 0 {
		c[3] = fmt.Sprintf("%.3g", median(ratios))
	}
	judged := ratios
	if r.absolute {
		c[4] = r.show(r.target)
		judged = r.values[1]
	}
	if len(judged) > 0 {
		c[5] = "ok"
		if median(judged) > r.target {
			c[5] = "over"
		}
	}
	return c
}

func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\trsync\tours\tratio\ttarget\t")
	for _, r := range rows {
		for _, cell := range r.cells() {
			fmt.Fprintf(t, "%s\t", cell)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // a table that cannot be shown is lost either way
}

// median of values; there is at least one.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

func seconds(v float64) string { return fmt.Sprintf("%.3f s", v) }

// size renders bytes in decimal units, as the promises are made.
func size(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f GB", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.1f MB", v/1e6)
	}
	return fmt.Sprintf("%.1f kB", v/1e3)
}
