// Package freeport finds ports for programs that must be told theirs.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that are given out lie below those that systems give to outgoing
// connections (Linux from 32768 on, see ip_local_port_range in ip(7); IANA
// from 49152 on). A port of that range, free by now, can belong to any client's
// connection by the time a server wants it, above all when the clients of a
// server that is starting again keep calling.
const lowest, beyond = 10_000, 32_000

// Find returns the first of so many neighbouring ports of 127.0.0.1 on which
// nobody listens. They are not kept: what starts first has them.
func Find(count int) (int, error) {
	for range 100 {
		first := lowest + rand.IntN(beyond-lowest-count)
		if areFree(first, count) {
			return first, nil
		}
	}
	return 0, errors.New("looking for neighbouring ports that are free: none found")
}

// Address returns a host:port of 127.0.0.1 on which nobody listens.
func Address() (string, error) {
	port, err := Find(1)
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

func areFree(first, count int) bool {
	for port := first; port < first+count; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = listener.Close() // it never had a connection
	}
	return true
}
