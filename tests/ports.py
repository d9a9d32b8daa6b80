"""Ports for programs that are started later: `free_ports`."""

import os
import socket
from itertools import count

FIRST_PORT, PORTS_EACH = 12_000, 1_000
"""Below the ports that the system gives to clients (32768 on): a client of any test could take one of those
between its choice here and its use by a program. Each test process has a range of its own.
"""

_next_port = count(FIRST_PORT + PORTS_EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))


def free_ports(number: int) -> list[int]:
    """Ports that are free and that nobody else takes."""
    found: list[int] = []
    while len(found) < number:
        port = next(_next_port)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found
