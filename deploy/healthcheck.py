"""What the image's HEALTHCHECK runs: exit code 0 if the service beside it says SERVING; else 1, and why.

Owns one question to gRPC's standard health service, which answers anybody: in plain text, by TLS or by mutual
TLS, as the environment that it shares with the service says. Must never import the service: the probe is a
caller like any other, and has to be cheap.
"""

import ipaddress
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

HOST = "127.0.0.1"
TIMEOUT_S = 2.0
"""Of the handshake, and again of the call: together less than HEALTHCHECK allows."""
# A proxy is the way to the upstream, not to loopback.
OPTIONS = (("grpc.enable_http_proxy", 0),)
REFUSED = "does TRUNKLINE_TLS_CLIENT_CA sign TRUNKLINE_TLS_CERT, for clients too? This check shows it"


def main() -> int:
    port = int(os.environ["TRUNKLINE_LISTEN"].rpartition(":")[2])
    try:
        with _channel(port) as channel:
            status = HealthStub(channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S).status
    except grpc.RpcError as error:
        hint = f"; {REFUSED}" if os.environ.get("TRUNKLINE_TLS_CLIENT_CA") else ""
        return _unhealthy(f"{error.code().name}: {error.details()}{hint}")
    except OSError as error:
        return _unhealthy(str(error))
    if status != HealthCheckResponse.SERVING:
        return _unhealthy(HealthCheckResponse.ServingStatus.Name(status))
    return 0


def _unhealthy(why: str) -> int:
    sys.stderr.write(f"unhealthy: {why}\n")
    return 1


def _channel(port: int) -> grpc.Channel:
    """It trusts what TRUNKLINE_TLS_CERT holds, and shows the same where callers must show something."""
    chain, key = os.environ.get("TRUNKLINE_TLS_CERT"), os.environ.get("TRUNKLINE_TLS_KEY")
    if not chain or not key:
        return grpc.insecure_channel(f"{HOST}:{port}", OPTIONS)
    shown = (chain, key) if os.environ.get("TRUNKLINE_TLS_CLIENT_CA") else None
    pem = Path(chain).read_bytes()
    credentials = grpc.ssl_channel_credentials(pem, *((Path(key).read_bytes(), pem) if shown else ()))
    name = ("grpc.ssl_target_name_override", _name(port, chain, shown))
    return grpc.secure_channel(f"{HOST}:{port}", credentials, (*OPTIONS, name))


def _name(port: int, trusted: str, shown: tuple[str, str] | None) -> str:
    """What the service's certificate calls it: grpc insists on a name, and that is hardly ever loopback's.

    A handshake tells: ssl reads the names of no certificate but a peer's. OSError: why there was none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as grpc does: the file need not hold a root
    context.load_verify_locations(trusted)
    context.set_alpn_protocols(["h2"])
    if shown:
        context.load_cert_chain(*shown)
    with socket.create_connection((HOST, port), TIMEOUT_S) as raw, context.wrap_socket(raw) as secure:
        certificate: Any = secure.getpeercert()
    names = dict(certificate.get("subjectAltName", ()))
    if "DNS" in names:
        return str(names["DNS"]).replace("*", "any")
    if "IP Address" in names:
        return str(ipaddress.ip_address(names["IP Address"]))  # shortened, as grpc writes it
    if names:
        raise OSError("TRUNKLINE_TLS_CERT has neither a DNS name nor an address, and grpc insists on one")
    return str(dict(pair for part in certificate["subject"] for pair in part).get("commonName", HOST))


if __name__ == "__main__":
    sys.exit(main())
