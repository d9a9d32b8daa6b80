"""Trunkline: a gRPC service that keeps every conversation on a warm line to the model."""
