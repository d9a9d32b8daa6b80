"""A running service for each test, and a look at the house when it is over."""

from tests.integration.service.conftest import house, start

__all__ = ["house", "start"]
