"""Ask whether the service takes calls: the standard `grpc.health.v1`.

Protobuf's own wrappers stand in for the protocol's messages: those of grpcio-health-checking, where a program
has it, would be registered twice.
"""

from typing import Any

from google.protobuf.wrappers_pb2 import Int32Value, StringValue

METHOD = "/grpc.health.v1.Health/Check"
WORDS = {0: "unknown", 1: "serving", 2: "not_serving", 3: "service_unknown"}
SERVING = WORDS[1]


class HealthStub:
    """Request and response have one field each, number 1: on the wire a wrapper is the same."""

    def __init__(self, channel: Any) -> None:
        self.Check = channel.unary_unary(
            METHOD,
            request_serializer=StringValue.SerializeToString,
            response_deserializer=Int32Value.FromString,
        )


def health_request(service: str) -> StringValue:
    return StringValue(value=service)


def health_word(response: Int32Value) -> str:
    """A value that this client does not know comes through as its digits."""
    return WORDS.get(response.value, str(response.value))
