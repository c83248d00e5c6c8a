package process

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The first line in each direction of a stream says who speaks, which version
// of the protocol, and which version of the program.
const (
	agentWord  = "gsyncd-host-agent"
	clientWord = "gsyncd-host-client"
	// maxNoise is how much may come before the agent's greeting: what a far
	// shell's start-up files print.
	maxNoise = 64 << 10
	// maxSeen is how much of it an error shows.
	maxSeen = 200
	// maxProgram is the longest version of a program.
	maxProgram = 100
	// maxToken is the longest token of a session.
	maxToken = 64
	// tokenLetters are those of a token.
	tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	// resumeWord is what a client's greeting has that resumes.
	resumeWord = "resume"
)

// GreetingError says that no agent answered at the other end of a stream.
type GreetingError struct {
	Seen string // the first of what came instead; empty if nothing came
	Err  error  // how it ended: io.EOF, or that there was too much of it
}

// Error implements error.
func (e *GreetingError) Error() string {
	if e.Seen == "" {
		return fmt.Sprintf("no greeting of an agent: %v", e.Err)
	}
	return fmt.Sprintf("no greeting of an agent, but %q: %v", e.Seen, e.Err)
}

// Unwrap gives the cause.
func (e *GreetingError) Unwrap() error { return e.Err }

// VersionError says that the other end speaks another version of the protocol.
type VersionError struct {
	Theirs  int
	Program string // the version of the other end's program
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the other end (gsyncd-host %s) speaks protocol %d, this one %d", e.Program, e.Theirs, Version)
}

// greeting is what the first line of one end says beside the version.
type greeting struct {
	program string
	// further is a further word, "" for none: from an agent its session's token,
	// from a client [resumeWord]. Words after it are for later versions.
	further string
}

// NoSession is said instead of a session's token by what was sent for it and
// found nobody.
const NoSession = "none"

// Announce writes the greeting of what leads to a session, or of what found none
// (NoSession): [ServeStream] writes its own.
func Announce(w io.Writer, program, token string) error {
	return greet(w, agentWord, greeting{program: program, further: token})
}

// AwaitSession reads up to the end of the greeting that [Announce] wrote and
// returns the token. What comes before it is skipped, up to 64 KiB.
func AwaitSession(r *bufio.Reader) (token string, err error) {
	g, err := awaitGreeting(r, agentWord, maxNoise)
	return g.further, err
}

// greet writes a greeting.
func greet(w io.Writer, word string, g greeting) error {
	program := g.program
	program = strings.Join(strings.Fields(program), "-")
	if program == "" {
		program = "unknown"
	}
	line := fmt.Sprintf("%s %d %s %s", word, Version, program[:min(len(program), maxProgram)], g.further)
	_, err := io.WriteString(w, strings.TrimSuffix(line, " ")+"\n")
	return err
}

// awaitGreeting reads up to a greeting's end. Of what comes before it at most
// noise bytes are skipped.
func awaitGreeting(r *bufio.Reader, word string, noise int) (greeting, error) {
	var seen, line []byte
	for total := 0; ; total++ {
		if total > noise+len(word)+maxProgram+maxToken {
			return greeting{}, &GreetingError{Seen: readable(seen), Err: fmt.Errorf("more than %d bytes of it", noise)}
		}
		c, err := r.ReadByte()
		if err != nil {
			return greeting{}, &GreetingError{Seen: readable(seen), Err: err}
		}
		if len(seen) < 4*maxSeen {
			seen = append(seen, c)
		}
		if c != '\n' {
			line = append(line, c)
			continue
		}
		// What is printed without a newline at its end stands in front.
		if i := strings.LastIndex(string(line), word+" "); i >= 0 {
			return checkGreeting(string(line[i+len(word)+1:]))
		}
		line = line[:0]
	}
}

// checkGreeting looks at what follows a greeting's first word.
func checkGreeting(rest string) (greeting, error) {
	number, rest, _ := strings.Cut(strings.TrimRight(rest, "\r"), " ")
	words := append(strings.Fields(rest), "", "")
	theirs, err := strconv.Atoi(number)
	if err != nil {
		return greeting{}, &GreetingError{Seen: readable([]byte(rest)), Err: fmt.Errorf("%q is no version", number)}
	}
	if theirs != Version {
		return greeting{}, &VersionError{Theirs: theirs, Program: readable([]byte(words[0]))}
	}
	g := greeting{program: readable([]byte(words[0]))}
	if token := words[1]; len(token) <= maxToken && strings.Trim(token, tokenLetters) == "" {
		g.further = token
	}
	return g, nil
}

// readable makes one short line of what came.
func readable(b []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "?")), " ")
	if len(text) > maxSeen {
		text = strings.ToValidUTF8(text[:maxSeen], "") + "…"
	}
	return text
}
