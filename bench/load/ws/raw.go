package ws

import (
	"net"
	"syscall"
	"unsafe"
)

// under returns the descriptor of a plain socket; -1 if there is TLS in between.
func under(conn net.Conn) int {
	fd := -1
	if plain, ok := conn.(*net.TCPConn); ok {
		if over, err := plain.SyscallConn(); err == nil {
			_ = over.Control(func(number uintptr) { fd = int(number) })
		}
	}
	return fd
}

// Plain reports whether the connection is a plain socket, without TLS.
func (c *Conn) Plain() bool { return c.fd >= 0 }

// Offer writes as much as a plain socket accepts without waiting. An error of the socket is reported by the next Write.
// The connection must not be closed meanwhile.
//
// The raw system call is not announced to the Go scheduler, since it never blocks: the scheduler would watch announced
// calls with a thread that wakes every 20 µs.
func (c *Conn) Offer(buffer []byte) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(c.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
