"""`python -m tests.attack.probe HOST:PORT`: one Health/Check after the other until standard input closes."""

from __future__ import annotations

import sys
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

BETWEEN_S = 0.02
TIMEOUT_S = 60


def main() -> None:
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    worst = 0.0
    checks = failed = 0
    with grpc.insecure_channel(sys.argv[1], [("grpc.enable_http_proxy", 0)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not ended.wait(BETWEEN_S):
            began = time.monotonic()
            try:
                stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
            except grpc.RpcError:
                failed += 1
            checks += 1
            worst = max(worst, time.monotonic() - began)
    sys.stdout.write(f"{worst:.3f} {checks} {failed}\n")


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
