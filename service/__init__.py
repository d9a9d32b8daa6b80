"""Trunkline: a gRPC service that keeps every conversation on a warm line to the model."""

__version__ = "0.1.0"
"""That of pyproject.toml; the upstream sees it as `User-Agent: trunkline/VERSION`."""
