package process

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestDurationsCrossAsText(t *testing.T) {
	var out bytes.Buffer
	newPluginLogger(&out).Info("back", "after", 882*time.Millisecond)
	if !strings.Contains(out.String(), `"after":"882ms"`) {
		t.Errorf("line %s", out.String())
	}
}
