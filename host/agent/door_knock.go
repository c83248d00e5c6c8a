package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// newSuffix is on a door that is being opened.
	newSuffix = ".new"
	// newAge is after how long nobody is still opening it.
	newAge = time.Minute
)

// Knock goes to the door of a session in dir with a request, an object of JSON
// with a "verb", and reads into answer. After that the connection belongs to the
// verb and the caller, who closes it. An error of the door has its kind; one of
// sdk.KindNotExist says that there is no such session, or none any more.
func Knock(ctx context.Context, dir, token string, request, answer any) (*net.UnixConn, error) {
	if err := CheckToken(token); err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "visit session", Msg: err.Error()}
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, token))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, &sdk.Error{Kind: sdk.KindNotExist, Op: "visit session", Msg: "there is no such session"}
	case err != nil:
		return nil, fmt.Errorf("visit session: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("visit session: no unix socket"), c.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = ask(conn, request, answer)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("visit session: %w", err)
	}
	return conn, nil
}

// ask sends a request and reads its answer.
func ask(conn *net.UnixConn, request, answer any) error {
	if err := sameUser(conn); err != nil {
		return err
	}
	if err := say(conn, request); err != nil {
		return err
	}
	line, err := readLine(conn)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var no refusal
	if err := json.Unmarshal(line, &no); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if no.Error != nil {
		return &sdk.Error{Kind: no.Error.Kind, Op: "ask", Msg: no.Error.Msg}
	}
	if err := json.Unmarshal(line, answer); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// Sessions lists the tokens of the doors in dir.
func Sessions(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.Type() == fs.ModeSocket && CheckToken(e.Name()) == nil {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// sweep removes the doors of sessions that have died. What cannot be removed
// harms nobody.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		token, unborn := strings.CutSuffix(e.Name(), newSuffix)
		if e.Type() != fs.ModeSocket || CheckToken(token) != nil {
			continue
		}
		if unborn {
			if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < newAge {
				continue
			}
		}
		c, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			_ = c.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(path)
		}
	}
}
