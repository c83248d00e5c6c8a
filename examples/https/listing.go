package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxListing is the longest listing of one directory, in bytes.
const maxListing = 64 << 20

// parseListing reads a server's listing of a directory. The host deletes what a
// listing does not have, so nothing passes for one that is not wholly of a known
// form: an index page with a few links is no listing.
func parseListing(r io.Reader, most int64) (map[string]*found, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxListing+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxListing {
		return nil, &sdk.Error{Kind: sdk.KindFatal, Op: "list", Msg: fmt.Sprintf("the listing is longer than %d bytes", maxListing)}
	}
	out := map[string]*found{}
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "[") {
		err = parseNginx(text, out)
	} else {
		err = parseGo(string(body), out)
	}
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "list", Msg: err.Error() +
			`; known are nginx's with "autoindex on; autoindex_format json;" and Go's http.FileServer. Or put a manifest beside the tree`}
	}
	if int64(len(out)) > most {
		return nil, &sdk.Error{Kind: sdk.KindFatal, Op: "list", Msg: fmt.Sprintf("the listing has more entries than %s allows, which is %d", attrEntries, most)}
	}
	return out, nil
}

// add takes a name that a server listed. One that cannot be a name becomes an entry
// that cannot be read, under a name that can.
func add(out map[string]*found, name string, f *found) error {
	if err := sdk.ValidateName(name); err != nil {
		f = &found{bad: fmt.Errorf("the server lists the name %.200q: %w", name, err)}
		name = url.PathEscape(name)
		if name = name[:min(len(name), sdk.MaxName-8)]; strings.Trim(name, ".") == "" {
			name = "%" + name
		}
	}
	if _, twice := out[name]; twice {
		return fmt.Errorf("it has the name %.200q twice", name)
	}
	out[name] = f
	return nil
}

// parseNginx reads what nginx makes with autoindex_format json.
func parseNginx(text string, out map[string]*found) error {
	var rows []struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Mtime string `json:"mtime"`
		Size  *int64 `json:"size"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&rows); err != nil {
		return fmt.Errorf("this is no listing: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("this is no listing: something follows it")
	}
	for _, r := range rows {
		mtime, ok := parseTime(r.Mtime)
		f := &found{size: -1, mtime: mtime}
		switch {
		case !ok:
			return fmt.Errorf("this is no listing: %.200q has the time %.60q", r.Name, r.Mtime)
		case r.Type == "directory":
			f.dir, f.size = true, 0
		case r.Type == "file":
			if r.Size != nil && *r.Size >= 0 {
				f.size = *r.Size
			}
		case r.Type == "other":
			f.bad = &sdk.Error{Kind: sdk.KindUnsupported, Op: "stat", Msg: "it is neither a file nor a directory on the server"}
		default:
			return fmt.Errorf("this is no listing: %.200q has the type %.60q", r.Name, r.Type)
		}
		if strings.ContainsRune(r.Name, utf8.RuneError) {
			// The listing does not tell what the name really is.
			f.bad = &sdk.Error{Kind: sdk.KindUnsupported, Op: "stat", Msg: "its name is no UTF-8, which the server's listing cannot hold"}
		}
		if err := add(out, r.Name, f); err != nil {
			return err
		}
	}
	return nil
}

// parseGo reads what Go's http.FileServer makes. Each link must be what that
// program writes for its name, to the byte.
func parseGo(text string, out map[string]*found) error {
	text = strings.TrimPrefix(text, "<!doctype html>\n")
	text = strings.TrimPrefix(text, "<meta name=\"viewport\" content=\"width=device-width\">\n")
	rest, ok := strings.CutPrefix(text, "<pre>\n")
	shown := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")
	for ok {
		var href string
		if rest, ok = strings.CutPrefix(rest, `<a href="`); !ok {
			break
		}
		if href, rest, ok = strings.Cut(rest, `">`); !ok {
			return errors.New("the listing is cut short")
		}
		path, err := url.PathUnescape(href)
		if err != nil {
			return fmt.Errorf("this is no listing: it has a link to %.200q", href)
		}
		name := strings.TrimPrefix(path, "./")
		if !strings.Contains(href, ":") || !strings.HasPrefix(path, "./") {
			name = path
		}
		want := shown.Replace(name) + "</a>\n"
		if !strings.HasPrefix(rest, want) || (&url.URL{Path: name}).String() != href {
			return fmt.Errorf("this is no listing: it has a link to %.200q", href)
		}
		rest = rest[len(want):]
		bare, isDir := strings.CutSuffix(name, "/")
		if err := add(out, bare, &found{dir: isDir, size: -1}); err != nil {
			return err
		}
	}
	if rest != "</pre>\n" {
		return errors.New("this is no listing of a directory, or one that is cut short")
	}
	return nil
}
