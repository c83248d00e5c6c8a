package glusterlab

// Layout is how a volume spreads over its bricks.
type Layout int

// The layouts a lab knows.
const (
	One   Layout = iota // one brick
	Dist2               // two bricks, each with part of the files
	Rep2                // two copies
	Rep3                // three copies
	Disp3               // three bricks, any two of which give the data
)

// bricks is the number of bricks, and spec the words that `volume create`
// wants; 0 bricks for a layout that is none.
func (l Layout) bricks() (n int, spec []string) {
	switch l {
	case One:
		return 1, nil
	case Dist2:
		return 2, nil
	case Rep2:
		return 2, []string{"replica", "2"}
	case Rep3:
		return 3, []string{"replica", "3"}
	case Disp3:
		return 3, []string{"disperse", "3", "redundancy", "1"}
	default:
		return 0, nil
	}
}

// String is the layout's name in test names.
func (l Layout) String() string {
	switch l {
	case One:
		return "one"
	case Dist2:
		return "dist2"
	case Rep2:
		return "rep2"
	case Rep3:
		return "rep3"
	case Disp3:
		return "disp3"
	default:
		return "unknown"
	}
}
