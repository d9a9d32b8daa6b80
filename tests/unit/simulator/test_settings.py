import msgspec
import pytest

from simulator.settings import Settings


def test_a_change_keeps_other_settings():
    settings = Settings(delay_s=1.0)
    settings.merge({"refuse_websocket": 426, "dialect": {"output": False}})
    assert (settings.delay_s, settings.refuse_websocket, settings.dialect.output) == (1.0, 426, False)


@pytest.mark.parametrize("changes", [{"delay_s": 2.0, "max_age_s": "soon"}, {"delay_s": 2.0, "unknown": 1}])
def test_an_invalid_change_changes_nothing(changes):
    settings = Settings()
    with pytest.raises(msgspec.ValidationError):
        settings.merge(changes)
    assert settings == Settings()
