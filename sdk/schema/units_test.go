package schema_test

import (
	"math"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestUnits(t *testing.T) {
	check(t, "duration", schema.ParseDuration, map[string]time.Duration{
		"300ms": 300 * time.Millisecond, "1h30m": 90 * time.Minute, "0s": 0, "2d": 48 * time.Hour,
		"1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, " 5m ": 5 * time.Minute, "106751d": 106751 * 24 * time.Hour,
	}, "", "5", "0", "-1s", "1d-1h", "+1s", "d", "1x", "5 m", "1h2d", "106751d24h", "999999999999d", "1e3s", "NaNs", "∞")
	check(t, "size", schema.ParseSize, map[string]int64{
		"0B": 0, "1B": 1, "64MiB": 64 << 20, "10GB": 1e10, "1.5KiB": 1536, "0.3KiB": 307, "2kB": 2000,
		"3 TiB": 3 << 40, "1TB": 1e12, "9223372036854775807B": math.MaxInt64,
	}, "", "5", "-1B", "1mib", "1 M", "1K", "1KB", "9223372036854775808B", "9999999TiB", "1.B", ".5KiB", "1e3B", "1MiB/s")
	check(t, "rate", schema.ParseRate, map[string]int64{"20MiB/s": 20 << 20, "1 kB/s": 1000}, "", "20MiB", "20/s", "/s", "20MiB/m", "-1B/s")
	check(t, "share", schema.ParseShare, map[string]float64{"2%": 0.02, "0%": 0, "100%": 1, "12.5 %": 0.125}, "", "2", "%", "-1%", "101%", "NaN%", "Inf%")
}

func check[T comparable](t *testing.T, what string, parse func(string) (T, error), good map[string]T, bad ...string) {
	t.Helper()
	for s, want := range good {
		if got, err := parse(s); err != nil || got != want {
			t.Errorf("%s %q: %v, %v; want %v", what, s, got, err, want)
		}
	}
	for _, s := range bad {
		if got, err := parse(s); err == nil {
			t.Errorf("%s %q: %v, want an error", what, s, got)
		}
	}
}
