from opentelemetry.metrics import NoOpMeter

from service.telemetry import names
from service.telemetry.instruments import BUCKETS, MAX_VALUES, Bounded, Instruments, views


def test_values_are_bounded():
    bounded = Bounded()
    first = [bounded(f"model-{number}") for number in range(MAX_VALUES)]
    assert first == [f"model-{number}" for number in range(MAX_VALUES)]
    assert bounded("one more") == "other"
    assert bounded("model-0") == "model-0"


def test_times_are_told_apart_up_to_ten_minutes():
    """All but the loop's own: whoever waits that long for the loop has other troubles."""
    seconds = {
        name: bounds for name, bounds in BUCKETS.items() if name.endswith(("duration", "wait", "chunk"))
    }
    assert {max(bounds) for bounds in seconds.values()} == {600.0}
    assert all(list(bounds) == sorted(set(bounds)) for bounds in BUCKETS.values())


def test_each_histogram_has_buckets():
    """A forgotten one would end at 10 s."""
    made = []

    class Meter(NoOpMeter):
        def create_histogram(self, name, *args, **kwargs):
            made.append(name)
            return super().create_histogram(name, *args, **kwargs)

    Instruments(Meter("test"))
    assert set(made) == set(BUCKETS)
    assert len(views()) == len(BUCKETS)


def test_a_name_stands_for_one_thing():
    spelled = [value for key, value in vars(names).items() if key.isupper() and not key.startswith("LABEL_")]
    assert len(spelled) == len(set(spelled))
