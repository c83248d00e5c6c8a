package ssh

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// otherwise is the cure that always helps.
const otherwise = "install gsyncd-host there and name it with remote_agent"

// talkError says that the script ended without an answer.
type talkError struct {
	heard bool // that it began
	err   error
}

// Error implements error.
func (e *talkError) Error() string {
	if !e.heard {
		return "this key runs no other command there"
	}
	return "the shell there ended too early"
}

// Unwrap gives the cause.
func (e *talkError) Unwrap() error { return e.err }

// machineError says that the program is not for the other machine.
type machineError struct{ system, processor string }

// Error implements error.
func (e *machineError) Error() string { return "the machine is " + e.system + " on " + e.processor }

// scriptError is what the script complains of.
type scriptError struct{ code, text string }

// Error implements error.
func (e *scriptError) Error() string { return e.code + ": " + e.text }

// explain makes one line of why the program could not be put there.
func (d *deployment) explain(op, said string, err error) error {
	fatal := func(format string, args ...any) error {
		return &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: fmt.Sprintf(format, args...)}
	}
	var machine *machineError
	var script *scriptError
	var talk *talkError
	switch {
	case errors.As(err, &machine):
		return fatal("%v (%s), and this gsyncd-host is for %s on %s; for that machine's architecture, %s", machine, goarch(machine.processor), d.goos, d.goarch, otherwise)
	case errors.As(err, &script):
		return d.complaint(op, script)
	case errors.As(err, &talk):
		if !talk.heard {
			return talk
		}
		if said != "" {
			said = "; it said: " + said
		}
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: talk.Error() + said}
	}
	return fatal("%v", err)
}

// complaint words what the script complains of.
func (d *deployment) complaint(op string, e *scriptError) error {
	full := strings.Contains(e.text, "No space left") || strings.Contains(strings.ToLower(e.text), "quota")
	kind, msg := sdk.KindFatal, ""
	switch e.code {
	case "home":
		msg = fmt.Sprintf("the login has no home directory for it (%s); set HOME or XDG_CACHE_HOME, or %s", e.text, otherwise)
	case "tool":
		msg = "the machine has none of sha256sum, shasum and openssl to check it with; install one of them, or " + otherwise
	case "owner":
		msg = fmt.Sprintf("%s over there, or what is in it, belongs to somebody else, who could replace the program; remove it, or %s", e.text, otherwise)
	case "short", "sum":
		kind, msg = sdk.KindTransient, fmt.Sprintf("what arrived is not what was sent (%s); it has been removed", strings.TrimSpace(e.code+" "+e.text))
	default:
		switch {
		case full:
			kind, msg = sdk.KindNoSpace, fmt.Sprintf("there is no space for its %d MB (%s); make room in the login's cache directory, set XDG_CACHE_HOME to another, or %s", (d.digest.size+999_999)/1_000_000, e.text, otherwise)
		default:
			msg = fmt.Sprintf("it cannot be written there (%s); set XDG_CACHE_HOME for that login to a directory that it may write, or %s", e.text, otherwise)
		}
	}
	return &sdk.Error{Kind: kind, Op: op, Msg: msg}
}

// deployedTrouble words why a program that was just put there does not start;
// "" if that is not known.
func deployedTrouble(exit int, said string) string {
	switch {
	case exit == exitNotExecutable:
		return "it was put there and may not be executed: is its file system mounted noexec? Set XDG_CACHE_HOME for that login to a directory elsewhere, or " + otherwise
	case exit == exitNotFound, strings.Contains(said, "GLIBC"), strings.Contains(said, "shared librar"):
		return "it was put there and cannot start: this gsyncd-host needs this machine's C library; use one that was built with CGO_ENABLED=0, or " + otherwise
	}
	return ""
}

// versionTrouble says which side is behind, and what to do.
func versionTrouble(e *process.VersionError) string {
	behind := "the other end"
	if e.Theirs > process.Version {
		behind = "this one"
	}
	return fmt.Sprintf("%v; %s is older: update it, and install the same version of gsyncd-host on both machines", e, behind)
}
