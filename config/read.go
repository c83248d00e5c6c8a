package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// read parses the files that the options name.
func (l *loader) read() (bodies []*hclsyntax.Body) {
	files, err := sources(l.opts.Path)
	if err != nil {
		l.unreadable(l.opts.Path, err, "give an existing file, or a directory with *.hcl files")
		return nil
	}
	if len(files) == 0 {
		l.diags.Add(diag.Diagnostic{
			Summary: "there is no *.hcl file in this directory",
			Detail:  "name another file or directory with -c",
			Subject: diag.Range{File: l.opts.Path},
		})
	}
	for _, file := range files {
		src, err := readFile(file)
		if err != nil {
			l.unreadable(file, err, "")
			continue
		}
		l.cfg.Sources[file] = src
		body, diags := parse(file, src)
		l.diags.Add(diags...)
		if body != nil {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// sources lists the files that a path stands for, sorted. Hidden files of a
// directory are left out: editors put theirs there.
func sources(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".hcl") && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func (l *loader) unreadable(path string, err error, hint string) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the path is the diagnostic's place
	}
	l.diags.Add(diag.Diagnostic{Summary: fmt.Sprintf("cannot read: %v", err), Detail: hint, Subject: diag.Range{File: path}})
}

// none complains that no mirror is declared.
func (l *loader) none() {
	d := diag.Diagnostic{
		Summary: "no mirror is declared",
		Detail:  "write\nmirror \"name\" {\n  primary   = \"/from\"\n  secondary = \"/to\"\n}",
		Subject: diag.Range{File: l.opts.Path},
	}
	if src, isFile := l.cfg.Sources[l.opts.Path]; isFile && len(bytes.TrimSpace(src)) == 0 {
		d.Summary = "the file is empty: no mirror is declared"
	}
	l.diags.Add(d)
}
