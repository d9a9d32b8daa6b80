from service.transport.channel import Waits
from service.transport.upstream import Upstream
from tests.parts import upstream_settings


async def test_each_wait_has_a_setting():
    settings = upstream_settings(
        connect_timeout_s=1.0,
        send_timeout_s=2.0,
        first_event_timeout_s=3.0,
        first_event_limit_s=5.0,
        idle_timeout_s=4.0,
    )
    upstream = Upstream(settings)
    await upstream.close()
    assert upstream.waits == Waits(
        connect_s=1.0, send_s=2.0, first_event_s=3.0, first_event_limit_s=5.0, idle_s=4.0
    )
