package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestParse(t *testing.T) {
	s := schema.Schema{
		{Name: "mode", Type: schema.String, OneOf: []string{"fast", "slow"}}, {Name: "on", Type: schema.Bool, Default: false},
		{Name: "jobs", Type: schema.Count, Default: int64(2)}, {Name: "pause", Type: schema.Duration}, {Name: "cache", Type: schema.Size},
		{Name: "rate", Type: schema.Rate}, {Name: "share", Type: schema.Share}, {Name: "names", Type: schema.Strings},
	}
	got, err := s.Parse([]string{"mode=fast", "on=true", "pause=1d", "cache=1KiB", "rate=2B/s", "share=2%", "names=a=b", "names="})
	want := schema.Values{
		"mode": "fast", "on": true, "jobs": int64(2), "pause": 24 * time.Hour, "cache": int64(1024),
		"rate": int64(2), "share": 0.02, "names": []string{"a=b", ""},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"jobs": `"jobs" is not name=value`, "x=1": `there is no setting "x"; known are: cache, jobs, mode,`,
		"mode=": `mode must be one of fast, slow, not ""`, "on=1": `on must be true or false, not "1"`,
		"jobs=-1": `jobs must be a whole number, not "-1"`, "jobs=1.5": "jobs must be a whole number", "pause=5": "pause must be a duration",
		"cache=5": "cache must be a size", "rate=5B": "rate must be a rate", "share=5": "share must be a share",
	} {
		if _, err := s.Parse([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := s.Parse([]string{"jobs=1", "jobs=2"}); err == nil || err.Error() != "jobs is set twice" {
		t.Errorf("twice: %v", err)
	}
	if _, err := (schema.Schema{{Name: "needed", Type: schema.Count, Required: true}}).Parse(nil); err == nil {
		t.Error("a required setting is not missed")
	}
}
