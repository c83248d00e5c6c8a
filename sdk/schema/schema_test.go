package schema

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var all = Schema{
	{Name: "s", Type: String, Default: "d"},
	{Name: "b", Type: Bool},
	{Name: "c", Type: Count, Default: int64(3)},
	{Name: "d", Type: Duration, Default: time.Minute},
	{Name: "z", Type: Size},
	{Name: "r", Type: Rate},
	{Name: "f", Type: Share, Default: 0.5},
	{Name: "l", Type: Strings, Default: []string{"x"}},
	{Name: "must", Type: String, Required: true},
}

func TestValuesTravel(t *testing.T) {
	in := Values{"s": "a", "b": true, "c": int64(1) << 60, "d": time.Hour, "z": int64(5), "r": int64(6), "f": 0.25, "l": []string{"y", "z"}, "must": "m"}
	data, err := in.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := all.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, out); d != "" {
		t.Errorf("(-sent +got)\n%s", d)
	}
}

func TestDefaultsAndFaults(t *testing.T) {
	got, err := all.Unmarshal([]byte(`{"must":"m"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Values{"s": "d", "c": int64(3), "d": time.Minute, "f": 0.5, "l": []string{"x"}, "must": "m"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for _, bad := range []string{`{}`, `{"must":"m","nope":1}`, `{"must":1}`, `{"must":"m","c":"3"}`, `[`} {
		if _, err := all.Unmarshal([]byte(bad)); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}

func TestSchemaTravels(t *testing.T) {
	data, err := MarshalSchema(all)
	if err != nil {
		t.Fatal(err)
	}
	out, err := UnmarshalSchema(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all, out); d != "" {
		t.Errorf("(-sent +got)\n%s", d)
	}
}
