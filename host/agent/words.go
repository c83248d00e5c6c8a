package agent

import (
	"errors"
	"strings"
)

// plainBytes are those that need no quotes in a command line: no shell gives
// them a meaning, but for '~', which stands for a home where the program is named.
const plainBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%"

// quote makes one word of s for a shell of the Bourne kind, as the client does.
func quote(s string) string {
	if s != "" && strings.Trim(s, plainBytes) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// errWords is what is wrong with a command line that no client wrote.
var errWords = errors.New("it is not written as gsyncd-host writes it")

// words takes a command line apart. It knows what [quote] writes and nothing
// else: whatever else would mean something to a shell is an error, so that no
// two readers can differ about it.
func words(line string) ([]string, error) {
	var out []string
	for rest := line; rest != ""; {
		if rest[0] == ' ' {
			rest = rest[1:]
			continue
		}
		var word string
		var err error
		if rest[0] == '\'' {
			word, rest, err = quoted(rest)
		} else {
			end := strings.IndexByte(rest, ' ')
			if end < 0 {
				end = len(rest)
			}
			word, rest = rest[:end], rest[end:]
			if strings.Trim(word, plainBytes+"~") != "" {
				err = errWords
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, word)
	}
	return out, nil
}

// quoted reads a word in quotes, in which '\” stands for one quote.
func quoted(s string) (word, rest string, err error) {
	var b strings.Builder
	for {
		body, after, closed := strings.Cut(s[1:], "'")
		if !closed {
			return "", "", errWords
		}
		b.WriteString(body)
		switch {
		case after == "" || after[0] == ' ':
			return b.String(), after, nil
		case strings.HasPrefix(after, `\''`):
			b.WriteByte('\'')
			s = after[2:]
		default:
			return "", "", errWords
		}
	}
}
