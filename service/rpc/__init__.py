"""The gRPC layer: the only one that uses protobuf."""
