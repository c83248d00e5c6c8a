package rsync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/rsync"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestCheck(t *testing.T) {
	current := script(t, `echo 'rsync  version 3.2.7  protocol version 31'`)
	for _, c := range []struct {
		name      string
		values    schema.Values
		attribute string // of the complaint; "" for none
		says      string
	}{
		{"good", schema.Values{"program": current}, "", ""},
		{"newer, odd spelling", schema.Values{"program": script(t, `echo 'rsync  version v3.5.0pre1  protocol version 32'`)}, "", ""},
		{"absent", schema.Values{"program": "no-such-rsync"}, "program", "apt install rsync"},
		{"too old", schema.Values{"program": script(t, `echo 'rsync  version 3.0.9  protocol version 30'`)}, "program", "too old"},
		{"something else", schema.Values{"program": script(t, `echo openrsync: protocol version 29`)}, "program", "does not look like rsync"},
		{"fails", schema.Values{"program": script(t, "exit 3")}, "program", "exit status 3"},
		{"harmless options", schema.Values{"program": current, "options": []string{"--bwlimit=100", "-z", "--block-size=4096"}}, "", ""},
		{"inplace", schema.Values{"program": current, "options": []string{"--inplace"}}, "options", "torn"},
		{"delete", schema.Values{"program": current, "options": []string{"--delete-excluded"}}, "options", "deleting is the host's"},
		{"remove", schema.Values{"program": current, "options": []string{"--remove-source-files"}}, "options", "primary is never changed"},
		{"shell", schema.Values{"program": current, "options": []string{"-e", "ssh"}}, "options", "driver's to say"},
		{"cluster", schema.Values{"program": current, "options": []string{"-zn"}}, "options", "cannot be used"},
		{"a loose value", schema.Values{"program": current, "options": []string{"4096"}}, "options", "written with it"},
		{"unknown", schema.Values{"program": current, "options": []string{"--frobnicate"}}, "options", "cannot be used"},
		{"no timeout", schema.Values{"program": current, "timeout": time.Duration(0)}, "timeout", "ends every run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			diags := rsync.New(nil).Check(t.Context(), c.values)
			if c.attribute == "" {
				if len(diags) > 0 {
					t.Errorf("complaints %+v", diags)
				}
				return
			}
			if len(diags) == 0 {
				t.Fatal("no complaint")
			}
			d := diags[0]
			if d.Warning || d.Attribute != c.attribute || !strings.Contains(d.Summary+" "+d.Detail, c.says) {
				t.Errorf("complaint %+v, want one about %q that says %q", d, c.attribute, c.says)
			}
		})
	}
}
