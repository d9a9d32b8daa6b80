"""The gRPC face: the only room that speaks protobuf."""
