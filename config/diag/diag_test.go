package diag_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

const source = "mirror \"a\" {\n" +
	"\tprimary\t= \"/a\x1b[2Jb\"\tx\n" +
	"  secondary = \"größe 東京\" oops\r\n" +
	"}\n" +
	"\n" +
	"bad \xff bytes \u202e here\n"

// at is the range of the first part that reads so.
func at(t *testing.T, part string) diag.Range {
	t.Helper()
	i := strings.Index(source, part)
	if i < 0 {
		t.Fatalf("no %q in the source", part)
	}
	pos := func(i int) diag.Pos {
		head := source[:i]
		return diag.Pos{Line: strings.Count(head, "\n") + 1, Column: i - strings.LastIndexByte(head, '\n'), Byte: i}
	}
	return diag.Range{File: "m\x07.hcl", Start: pos(i), End: pos(i + len(part))}
}

func sample(t *testing.T) diag.List {
	empty := at(t, "}\n")
	empty.Start = empty.End
	return diag.List{
		{Summary: "the source is unknown", Subject: diag.Range{File: "other.hcl", Start: diag.Pos{Line: 7, Column: 2, Byte: 99}}},
		{Summary: "nowhere\x1b[31m", Severity: diag.Warning},
		{Summary: "an argument", Subject: diag.Range{File: "argument 1", Start: diag.Pos{Byte: 3}, End: diag.Pos{Byte: 5}}},
		{Summary: "a whole source", Subject: diag.Range{File: "argument 1"}},
		{Summary: "after wide characters", Subject: at(t, "oops")},
		{Summary: "after tabs and an escape", Subject: at(t, "x\n"), Detail: "first line\nsecond line"},
		{Summary: "over an escape", Subject: at(t, "\"/a\x1b[2Jb\"")},
		{Summary: "over many lines", Subject: at(t, "{\n\tprimary"), Related: []diag.Related{{Message: "first declared here", Range: at(t, "secondary")}}},
		{Summary: "not text", Subject: at(t, "here")},
		{Summary: "on an empty line", Subject: empty},
		{Summary: "not text", Subject: at(t, "here")},
		{Summary: "out of range", Subject: diag.Range{File: "m\x07.hcl", Start: diag.Pos{Line: 99, Column: 1, Byte: 9999}, End: diag.Pos{Byte: 1}}},
	}.Sort()
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	sources := diag.Sources{"m\x07.hcl": []byte(source), "argument 1": []byte("/a *b")}
	if err := sample(t).WriteText(&b, sources); err != nil {
		t.Fatal(err)
	}
	golden(t, "text.golden", b.Bytes())
}

func TestJSON(t *testing.T) {
	var b, indented bytes.Buffer
	if err := sample(t).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&indented, b.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "json.golden", indented.Bytes())

	b.Reset()
	if err := diag.List(nil).WriteJSON(&b); err != nil || b.String() != "{\"diagnostics\":[]}\n" {
		t.Errorf("an empty list is %q, %v", b.String(), err)
	}
}

func TestHasErrors(t *testing.T) {
	var l diag.List
	l.Add(diag.Diagnostic{Severity: diag.Warning})
	if l.HasErrors() {
		t.Error("a warning counts as an error")
	}
	l.Add(diag.Diagnostic{})
	if !l.HasErrors() {
		t.Error("an error does not count")
	}
}

func TestFromHCL(t *testing.T) {
	_, hd := hclsyntax.ParseConfig([]byte("a = 1\nb ="), "x.hcl", hcl.InitialPos)
	got := diag.FromHCLDiagnostics(hd)
	want := diag.List{{
		Summary: "missing expression",
		Detail:  "Expected the start of an expression, but found the end of the file.",
		Subject: diag.Range{File: "x.hcl", Start: diag.Pos{Line: 2, Column: 4, Byte: 9}, End: diag.Pos{Line: 2, Column: 4, Byte: 9}},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}
