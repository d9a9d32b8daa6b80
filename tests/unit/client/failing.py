"""Failures as grpc raises them."""

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # annotated, but not marked so


def details(*messages):
    status = status_pb2.Status()
    for message in messages:
        status.details.add().Pack(message)
    return status.SerializeToString()


def error_info(reason, domain="trunkline", **metadata):
    return error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)


def retry_info(seconds):
    delay = Duration()
    delay.FromMilliseconds(int(seconds * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def rpc_error(code, message="", *messages):
    trailers = [("grpc-status-details-bin", details(*messages))] if messages else []
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(("x-other", "y"), *trailers), message, None
    )
