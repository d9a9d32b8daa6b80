"""Check the health of the service in the same container: exit code 0 if it is SERVING, else 1 and the reason.

The image's HEALTHCHECK runs this. It calls gRPC's standard health service, which needs no
authentication, in plain text, by TLS or by mutual TLS, as the environment of the service says. It does
not import the service, because a check that runs every few seconds has to be cheap.
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
"""For the handshake, and again for the call: together less than the timeout of HEALTHCHECK."""
# Proxy variables are for the upstream, not for loopback.
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
    """Open a channel that trusts TRUNKLINE_TLS_CERT, and presents it where clients need a certificate."""
    chain, key = os.environ.get("TRUNKLINE_TLS_CERT"), os.environ.get("TRUNKLINE_TLS_KEY")
    if not chain or not key:
        return grpc.insecure_channel(f"{HOST}:{port}", OPTIONS)
    client_certificate = (chain, key) if os.environ.get("TRUNKLINE_TLS_CLIENT_CA") else None
    pem = Path(chain).read_bytes()
    credentials = grpc.ssl_channel_credentials(
        pem, *((Path(key).read_bytes(), pem) if client_certificate else ())
    )
    name = ("grpc.ssl_target_name_override", _name(port, chain, client_certificate))
    return grpc.secure_channel(f"{HOST}:{port}", credentials, (*OPTIONS, name))


def _name(port: int, trusted: str, client_certificate: tuple[str, str] | None) -> str:
    """Return a name in the service's certificate, since grpc checks one and loopback is rarely among them.

    It is read in a handshake, because the ssl module parses only a peer's certificate. Raises OSError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as grpc does: the file need not hold a root
    context.load_verify_locations(trusted)
    context.set_alpn_protocols(["h2"])
    if client_certificate:
        context.load_cert_chain(*client_certificate)
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
