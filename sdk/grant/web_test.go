package grant

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A grant of a path is left by no way of writing another one.
func TestCovers(t *testing.T) {
	o := &OriginConfig{URL: "https://x/pub/"}
	for raw, want := range map[string]bool{
		"https://x/pub/":         true,
		"https://x:443/pub/a/b":  true,
		"https://X/pub/a;v=1?q":  true,
		"https://x/pub/..a/b..":  true,
		"https://x/pub/a%20b":    true,
		"https://x/pub":          false,
		"https://x/":             false,
		"http://x/pub/":          false,
		"https://x:8443/pub/":    false,
		"https://u:p@x/pub/":     false,
		"https://x/pub/../a":     false,
		"https://x/pub/%2e%2E/a": false,
		"https://x/pub/./a":      false,
		"https://x/pub/..;v/a":   false,
		"https://x/pub/.;/a":     false,
		"https://x/pub/..%3b/a":  false,
		"https://x/pub/..%2fa":   false,
		"https://x/pub/b%2F..":   false,
		"https://x/pub/a%2fb":    false,
		"https://x/pub/..%5ca":   false,
		`https://x/pub/..\a`:     false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.covers(u); got != want {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
}

// A response that cannot be told to the guest does not stay open.
func TestUntoldResponse(t *testing.T) {
	ended := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			// It fits into a header, and is three times as long once it is escaped.
			w.Header().Set("Location", "/"+strings.Repeat(`"`, 30<<10))
			w.WriteHeader(http.StatusFound)
			return
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(ended)
	}))
	t.Cleanup(srv.CloseClientConnections)
	s := through(t, Config{HTTP: []OriginConfig{{URL: srv.URL}}})
	if _, err := s.Do(t.Context(), &Request{URL: srv.URL}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Fatalf("%.200v", err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("it is still open")
	}
}
