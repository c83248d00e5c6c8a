package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// The columns of a row's values.
const (
	yardstick = iota // rsync's, or another's that the row names
	ours
	peer // of another program that goes on mirroring
	columns
)

// row is a line of the table: the values of the programs, round by round.
type row struct {
	what   string
	values [columns][]float64
	pick   func(usage) float64
	show   func(float64) string
	target float64 // 0: none
	// absolute: the target is ours alone, not a ratio to the yardstick's value.
	absolute bool
	// grid is the title of a table of its own that the row is a cell of, if any,
	// and column where in its line.
	grid, column string
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

func shareRow(what string, target float64) row {
	return row{what: what, target: target, absolute: true, pick: func(u usage) float64 { return u.share },
		show: func(v float64) string { return fmt.Sprintf("%.3f %%", v*100) }}
}

// add enters what a run took, in one of the columns.
func (r *row) add(i int, u usage) { r.values[i] = append(r.values[i], r.pick(u)) }

// ratios gives ours over the yardstick's, by round.
func (r *row) ratios() []float64 {
	var out []float64
	for n, theirs := range r.values[yardstick] {
		if n < len(r.values[ours]) && theirs > 0 {
			out = append(out, r.values[ours][n]/theirs)
		}
	}
	return out
}

// verdict says how ours compares with the target; it is empty without one.
func (r *row) verdict() string {
	judged := r.ratios()
	if r.absolute {
		judged = r.values[ours]
	}
	switch {
	case r.target == 0 || len(judged) == 0:
		return ""
	case median(judged) > r.target:
		return "over"
	}
	return "ok"
}

// limit renders the target.
func (r *row) limit() string {
	switch {
	case r.target == 0:
		return "-"
	case r.absolute:
		return r.show(r.target)
	}
	return fmt.Sprintf("%.4g", r.target)
}

// value renders a column.
func (r *row) value(i int) string {
	if len(r.values[i]) == 0 {
		return "-"
	}
	return r.show(median(r.values[i]))
}

// cells renders the row, with or without the peer's column.
func (r *row) cells(withPeer bool) []string {
	c := []string{r.what, r.value(yardstick), r.value(ours)}
	if withPeer {
		c = append(c, r.value(peer))
	}
	ratio, verdict := "-", r.verdict()
	if ratios := r.ratios(); len(ratios) > 0 {
		ratio = fmt.Sprintf("%.3g", median(ratios))
	}
	if verdict == "" {
		verdict = "-"
	}
	return append(c, ratio, r.limit(), verdict)
}

// cell renders the row as one cell: the median of the ratios with the medians of
// the values, or a value that has nothing to be compared with.
func (r *row) cell() string {
	c := r.value(ours)
	if ratios := r.ratios(); len(ratios) > 0 {
		c = fmt.Sprintf("%.3g (%s, %s)", median(ratios), c, r.value(yardstick))
	}
	if v := r.verdict(); v != "" {
		c += ", " + v
	}
	return c
}

// printTable prints a line for each row, and then those that make tables of their
// own.
func printTable(w io.Writer, rows []row) {
	var grids []string
	var lines []row
	for _, r := range rows {
		switch {
		case r.grid == "":
			lines = append(lines, r)
		case !slices.Contains(grids, r.grid):
			grids = append(grids, r.grid)
		}
	}
	if len(lines) > 0 {
		printLines(w, lines)
	}
	for _, title := range grids {
		fmt.Fprintf(w, "\n%s\n", title)
		printGrid(w, slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.grid != title }))
	}
}

func printLines(w io.Writer, rows []row) {
	withPeer := slices.ContainsFunc(rows, func(r row) bool { return len(r.values[peer]) > 0 })
	head := []string{"case", "rsync, or as named", "ours"}
	if withPeer {
		head = append(head, "lsyncd")
	}
	out := [][]string{append(head, "ratio", "target", "")}
	for i := range rows {
		out = append(out, rows[i].cells(withPeer))
	}
	align(w, out)
}

// printGrid prints the rows of one grid: those of the same name in one line.
func printGrid(w io.Writer, rows []row) {
	head := []string{"", "target"}
	lines := map[string][]string{}
	var names []string
	for i := range rows {
		r := &rows[i]
		at := slices.Index(head, r.column)
		if at < 0 {
			at = len(head)
			head = append(head, r.column)
		}
		line, ok := lines[r.what]
		if !ok {
			names = append(names, r.what)
			line = []string{r.what, "-"}
		}
		if r.target > 0 {
			line[1] = r.limit()
		}
		for len(line) <= at {
			line = append(line, "-")
		}
		line[at] = r.cell()
		lines[r.what] = line
	}
	out := [][]string{head}
	for _, name := range names {
		line := lines[name]
		for len(line) < len(head) {
			line = append(line, "-")
		}
		out = append(out, line)
	}
	align(w, out)
}

// align prints lines of cells in columns.
func align(w io.Writer, lines [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		for _, cell := range line {
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
