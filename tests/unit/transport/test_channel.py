from service.config.settings import load
from service.transport.channel import Waits


def test_the_defaults_are_those_of_the_settings():
    settings = load({"OPENAI_API_KEY": "k"})
    assert Waits() == Waits(
        settings.connect_timeout_s,
        settings.send_timeout_s,
        settings.first_event_timeout_s,
        settings.idle_timeout_s,
    )
