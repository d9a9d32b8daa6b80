"""Make a client from the command line."""

from argparse import Namespace

from trunkline.aio.client import AsyncClient


def connect(arguments: Namespace, address: str) -> AsyncClient:
    return AsyncClient(address, token=arguments.token or None, tls=arguments.tls, timeout=arguments.timeout)
