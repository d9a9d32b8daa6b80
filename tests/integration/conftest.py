"""What holds for all tests that run the service in their own process."""

import pytest

from service.rpc import receiving


@pytest.fixture(autouse=True)
def grace(monkeypatch):
    """A burst of calls is not refused because the thread of grpc that reads them gets no core for 50 ms."""
    monkeypatch.setattr(receiving, "GRACE_S", 30.0)
