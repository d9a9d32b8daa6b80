import pytest

from trunkline.settings import Settings
from trunkline.targets import is_local

LOCAL = [
    "127.0.0.1:50051", "127.9.9.9:1", "127.0.0.1", "localhost:1", "localhost", "LocalHost.:1",
    "a.localhost:1", "0.0.0.0:1",
    "[::1]:50051", "[::1]", "::1", "[::ffff:127.0.0.1]:1", "%5B::1%5D:1", "dns:localhost:1", "dns:///localhost:1",
    "dns:///[::1]:1", "dns://10.0.0.53/127.0.0.1:1", "ipv4:127.0.0.1:1", "ipv4:127.0.0.1:1,127.0.0.2:1",
    "ipv6:[::1]:1", "unix:socket", "unix:///run/socket", "unix-abstract:socket", "vsock:2:1",
]  # fmt: skip
REMOTE = [
    "trunkline.example.org:443", "128.0.0.1:1", "10.0.0.1:1", "localhost.example.org:1", "notlocalhost:1",
    "[fd07::1]:1",
    "dns:///service:1", "dns://127.0.0.1/service:1", "ipv4:127.0.0.1:1,10.0.0.1:1", "xds:///localhost",
    "unixhost:1", "",
]  # fmt: skip


@pytest.mark.parametrize("target", LOCAL)
def test_this_machine_is_never_reached_by_a_proxy(target):
    assert is_local(target)
    assert dict(Settings(address=target).options())["grpc.enable_http_proxy"] == 0


@pytest.mark.parametrize("target", REMOTE)
def test_elsewhere_the_environment_decides(target):
    assert not is_local(target)
    assert "grpc.enable_http_proxy" not in dict(Settings(address=target).options())


def test_the_callers_own_option_wins():
    settings = Settings(channel_options=[("grpc.enable_http_proxy", 1)])
    assert dict(settings.options())["grpc.enable_http_proxy"] == 1
