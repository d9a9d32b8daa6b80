"""What the image's HEALTHCHECK runs: exit code 0 if the service in this container says SERVING.

Owns one question to gRPC's standard health service, which answers anybody. Must never import the service: the
probe is a caller like any other, and has to be cheap.
"""

import os
import sys

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

TIMEOUT_S = 3.0


def main() -> int:
    port = os.environ["TRUNKLINE_LISTEN"].rpartition(":")[2]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            status = HealthStub(channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S).status
        except grpc.RpcError as error:
            sys.stderr.write(f"{error.code().name}: {error.details()}\n")
            return 1
    return int(status != HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(main())
