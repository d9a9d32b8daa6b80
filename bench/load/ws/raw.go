package ws

import (
	"net"
	"syscall"
	"unsafe"
)

// under is the descriptor of a plain socket; -1 if there is more than that under the connection: TLS.
func under(conn net.Conn) int {
	fd := -1
	if plain, ok := conn.(*net.TCPConn); ok {
		if over, err := plain.SyscallConn(); err == nil {
			_ = over.Control(func(number uintptr) { fd = int(number) })
		}
	}
	return fd
}

// Plain says that there is nothing but a socket under the connection.
func (c *Conn) Plain() bool { return c.fd >= 0 }

// Offer writes as much as a plain socket takes at once. What is wrong with the socket, the next Write tells. Nobody
// may close it meanwhile.
//
// The Go scheduler does not hear of this call, since it never waits: told of each, it would watch them with a thread
// that wakes every 20 µs.
func (c *Conn) Offer(buffer []byte) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(c.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
