package schema

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	daysRX = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)
	sizeRX = regexp.MustCompile(`^([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)$`)
)

var sizeUnits = map[string]int64{
	"B":  1,
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// ParseDuration reads a duration as Go writes it, with an additional unit d in
// front, a day of 24 hours. It must not be negative, and has a unit even if 0.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration", s)
	rest := strings.TrimSpace(s)
	var days time.Duration
	if m := daysRX.FindStringSubmatch(rest); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil || n*float64(24*time.Hour) >= math.MaxInt64 {
			return 0, bad
		}
		days, rest = time.Duration(n*float64(24*time.Hour)), m[2]
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || strings.ContainsAny(rest, "+-") || !strings.HasSuffix(rest, "s") && !strings.HasSuffix(rest, "m") && !strings.HasSuffix(rest, "h") {
		return 0, bad
	}
	if days > math.MaxInt64-d {
		return 0, bad
	}
	return days + d, nil
}

// ParseSize reads a size in bytes. A fraction of a byte is cut off.
func ParseSize(s string) (int64, error) {
	bad := fmt.Errorf("%q is not a size", s)
	m := sizeRX.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, bad
	}
	unit, ok := sizeUnits[m[2]]
	if !ok {
		return 0, bad
	}
	n, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return 0, bad
	}
	n.Mul(n, new(big.Rat).SetInt64(unit))
	bytes := new(big.Int).Quo(n.Num(), n.Denom())
	if !bytes.IsInt64() {
		return 0, bad
	}
	return bytes.Int64(), nil
}

// ParseRate reads a rate in bytes per second.
func ParseRate(s string) (int64, error) {
	size, ok := strings.CutSuffix(strings.TrimSpace(s), "/s")
	n, err := ParseSize(size)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not a rate", s)
	}
	return n, nil
}

// ParseShare reads a percentage and returns the fraction of one.
func ParseShare(s string) (float64, error) {
	digits, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !ok || err != nil || !(f >= 0 && f <= 100) {
		return 0, fmt.Errorf("%q is not a share", s)
	}
	return f / 100, nil
}
