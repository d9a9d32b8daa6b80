// Package ws is as much of RFC 6455 as the bench needs: text messages, ping and close, both roles, no extensions.
package ws

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
)

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const (
	text  = 0x1
	close = 0x8
	ping  = 0x9
	pong  = 0xA
)

// Conn is one side of a connection. One goroutine reads, one writes.
type Conn struct {
	net.Conn
	fd     int // Of the plain socket under it, if it is one.
	client bool
	held   []byte // What was read; the first `used` bytes of it are consumed.
	used   int
	body   []byte // The frames of a fragmented message.
}

func open(conn net.Conn, reader *bufio.Reader, size int, client bool) *Conn {
	early, _ := reader.Peek(reader.Buffered())
	return &Conn{Conn: conn, fd: under(conn), client: client, held: append(make([]byte, 0, size), early...)}
}

// Accept upgrades a request, as a server.
func Accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	conn, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	return open(conn, both.Reader, 4<<10, false), err
}

// Dial opens a connection as a client.
func Dial(address, path string) (*Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", path, address)
	status, err := reader.ReadString('\n')
	if err != nil || !strings.Contains(status, " 101 ") {
		conn.Close()
		return nil, fmt.Errorf("no WebSocket: %q %w", status, err)
	}
	for line := ""; line != "\r\n"; {
		if line, err = reader.ReadString('\n'); err != nil {
			return nil, err
		}
	}
	return open(conn, reader, 32<<10, true), nil
}

// Read returns the next text message, valid until the next Read. Pings are answered on the way.
func (c *Conn) Read() ([]byte, error) {
	for {
		message, err := c.next()
		if message != nil || err != nil {
			return message, err
		}
		n, err := c.Conn.Read(c.room())
		if err != nil {
			return nil, err
		}
		c.held = c.held[:len(c.held)+n]
	}
}

// next returns the next message of what was read; nil if it is incomplete.
func (c *Conn) next() ([]byte, error) {
	for {
		opcode, final, payload, err := c.frame()
		switch {
		case payload == nil || err != nil:
			return nil, err
		case opcode == close:
			return nil, io.EOF
		case opcode == ping:
			if _, err := c.Write(append(header(nil, pong, 0, c.client), c.mask()...)); err != nil {
				return nil, err
			}
		case opcode == pong:
		case final && len(c.body) == 0:
			return payload, nil
		default:
			c.body = append(c.body, payload...)
			if final {
				message := c.body
				c.body = c.body[:0]
				return message, nil
			}
		}
	}
}

// frame returns the next frame of what was read; nil if it is incomplete. The payload is not copied.
func (c *Conn) frame() (opcode byte, final bool, payload []byte, err error) {
	held := c.held[c.used:]
	if len(held) < 2 {
		return
	}
	opcode, final = held[0]&0xF, held[0]&0x80 != 0
	size, start := uint64(held[1]&0x7F), 2
	switch size {
	case 126:
		start = 4
	case 127:
		start = 10
	}
	masked := held[1]&0x80 != 0
	if masked {
		start += 4
	}
	if len(held) < start {
		return
	}
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(held[2:]))
	case 127:
		size = binary.BigEndian.Uint64(held[2:])
	}
	if size > 64<<20 {
		return opcode, final, nil, errors.New("a frame of more than 64 MiB")
	}
	end := start + int(size)
	if len(held) < end {
		return
	}
	c.used += end
	payload = held[start:end]
	if masked {
		key := held[start-4 : start]
		for i := range payload {
			payload[i] ^= key[i&3]
		}
	}
	return
}

// room returns the space to read into: after what was read and is not consumed.
func (c *Conn) room() []byte {
	c.held, c.used = c.held[:copy(c.held, c.held[c.used:])], 0
	if len(c.held) == cap(c.held) {
		c.held = slices.Grow(c.held, cap(c.held))
	}
	return c.held[len(c.held):cap(c.held)]
}

// Send writes a text message.
func (c *Conn) Send(message []byte) error {
	buffer := header(make([]byte, 0, len(message)+14), text, len(message), c.client)
	_, err := c.Write(append(append(buffer, c.mask()...), message...))
	return err
}

// Append adds a server's text frame to the buffer.
func Append(buffer, message []byte) []byte {
	return append(header(buffer, text, len(message), false), message...)
}

// mask is the masking key of a client's frame: zeros, which leave the payload as it is.
func (c *Conn) mask() []byte {
	if c.client {
		return make([]byte, 4)
	}
	return nil
}

func header(buffer []byte, opcode byte, size int, client bool) []byte {
	masked := byte(0)
	if client {
		masked = 0x80
	}
	switch {
	case size < 126:
		return append(buffer, 0x80|opcode, masked|byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(buffer, 0x80|opcode, masked|126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(buffer, 0x80|opcode, masked|127), uint64(size))
}
