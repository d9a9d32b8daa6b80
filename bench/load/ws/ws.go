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
	reader *bufio.Reader
	client bool
	body   []byte
}

// Accept takes a request over as a server.
func Accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	conn, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	return &Conn{Conn: conn, reader: both.Reader}, err
}

// Dial opens a connection as a client.
func Dial(address, path string) (*Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReaderSize(conn, 32<<10)
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
	return &Conn{Conn: conn, reader: reader, client: true}, nil
}

// Read returns the next text message, valid until the next Read. Pings are answered on the way.
func (c *Conn) Read() ([]byte, error) {
	c.body = c.body[:0]
	for {
		opcode, final, err := c.frame()
		switch {
		case err != nil:
			return nil, err
		case opcode == close:
			return nil, io.EOF
		case opcode == ping:
			if _, err := c.Write(append(header(nil, pong, 0, c.client), c.mask()...)); err != nil {
				return nil, err
			}
		case opcode != pong && final:
			return c.body, nil
		}
	}
}

// frame appends the payload of a data frame to the body, and drops that of any other.
func (c *Conn) frame() (opcode byte, final bool, err error) {
	var head [14]byte
	if _, err = io.ReadFull(c.reader, head[:2]); err != nil {
		return
	}
	opcode, final = head[0]&0xF, head[0]&0x80 != 0
	size, more := uint64(head[1]&0x7F), 0
	switch size {
	case 126:
		more = 2
	case 127:
		more = 8
	}
	masked := head[1]&0x80 != 0
	if masked {
		more += 4
	}
	if _, err = io.ReadFull(c.reader, head[2:2+more]); err != nil {
		return
	}
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		size = binary.BigEndian.Uint64(head[2:])
	}
	if size > 64<<20 {
		return opcode, final, errors.New("a frame of more than 64 MiB")
	}
	start := len(c.body)
	c.body = append(c.body, make([]byte, size)...)
	if _, err = io.ReadFull(c.reader, c.body[start:]); err != nil {
		return
	}
	if masked {
		key := head[2+more-4 : 2+more]
		for i := range c.body[start:] {
			c.body[start+i] ^= key[i&3]
		}
	}
	if opcode >= close {
		c.body = c.body[:start]
	}
	return
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

// mask is what a client's frame needs besides: a key of zeros, which leaves the payload as it is.
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
