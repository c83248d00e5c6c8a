package main

import (
	"net"
	"time"
)

// relay is a network that delays what passes, and carries as much as comes.
type relay struct {
	net.Listener
	server string
	delay  time.Duration // each way
}

// newRelay makes a relay to a server; it ends with its listener.
func newRelay(server string, delay time.Duration) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{Listener: l, server: server, delay: delay}
	go r.serve()
	return r, nil
}

func (r *relay) serve() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			client.Close()
			continue
		}
		go r.carry(client, server)
		go r.carry(server, client)
	}
}

// parcel is what was read at once, and when it is due.
type parcel struct {
	data []byte
	due  time.Time
}

// carry takes bytes one way.
func (r *relay) carry(from, to net.Conn) {
	road := make(chan parcel, 4096)
	go func() {
		defer close(road)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if n > 0 {
				road <- parcel{buf[:n], time.Now().Add(r.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	defer to.Close()
	for p := range road {
		<-time.After(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			from.Close()
			for range road {
			}
		}
	}
}
