package gluster

import (
	"errors"
	"strings"
)

// address is what follows "gluster://": a server, and a volume that it knows.
type address struct {
	host   string // name or IP address, without brackets
	volume string
}

// parseAddress reads "host:volume".
func parseAddress(rest string) (address, error) {
	i := strings.LastIndexByte(rest, ':')
	if i <= 0 {
		return address{}, errors.New("a volume is named host:volume")
	}
	a := address{host: strings.TrimSuffix(strings.TrimPrefix(rest[:i], "["), "]"), volume: rest[i+1:]}
	if a.host == "" || a.host[0] == '-' || strings.ContainsAny(a.host, "/ \t\n\x00") {
		return a, errors.New("the host's name cannot be one")
	}
	if a.volume == "" || a.volume[0] == '-' {
		return a, errors.New("the volume's name cannot be one")
	}
	for _, c := range []byte(a.volume) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return a, errors.New("a volume's name is of letters, digits, '-' and '_'")
		}
	}
	return a, nil
}

// String names the volume for people.
func (a address) String() string { return a.volume + " on " + a.host }
