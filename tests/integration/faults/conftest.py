"""A running service for each test, and a check that nothing is left when it is over."""

from tests.integration.service.conftest import replica, start

__all__ = ["replica", "start"]
