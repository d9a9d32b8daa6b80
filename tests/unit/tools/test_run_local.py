import os
import socket

import pytest

from tools import run_local


def test_a_listening_address_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert run_local.answers(address)
    assert not run_local.answers(address)


def test_a_process_ends_with_its_block():
    with run_local.running(["http.server", "0", "--bind", "127.0.0.1"], os.environ) as process:
        assert process.poll() is None
    assert process.returncode is not None


def test_a_process_that_ends_early_stops_the_wait():
    address = f"127.0.0.1:{run_local.free_port()}"
    with run_local.running(["this"], os.environ) as process, pytest.raises(SystemExit, match=address):
        run_local.wait_until_ready(process, address)


def test_a_taken_port_is_reported(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("TRUNKLINE_LISTEN", address)
        with pytest.raises(SystemExit, match=f"{address} is taken"):
            run_local.main()
