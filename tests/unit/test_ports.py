"""Ports for later: free, each given once, and none that the system gives to clients."""

import socket

from tests.ports import free_ports


def test_each_port_is_given_once_and_can_be_listened_at():
    ports = [*free_ports(3), *free_ports(2)]
    assert len(set(ports)) == 5
    assert all(1024 < port < 32768 for port in ports)
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_at_which_somebody_listens_is_left_out():
    (before,) = free_ports(1)
    with socket.create_server(("127.0.0.1", before + 1)):
        assert free_ports(1) != [before + 1]
