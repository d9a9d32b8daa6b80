from service.telemetry import names
from service.telemetry.gauges import Counts
from tests.watching import watching


def test_the_last_counts_are_observed():
    with watching() as seen:
        gauges = seen.telemetry.gauges
        gauges.update(Counts(9, 9, 9, {("", "idle"): 9}))
        lines = {("", "idle"): 4, ("", "leased"): 5, ("azure", "idle"): 6}
        gauges.update(Counts(1, 2, 3, lines, 0.5, 6, 7, {("one", "tokens_per_day"): -8.0}))
        assert seen.count(names.TURNS_RUNNING) == 1
        assert seen.count(names.TURNS_QUEUED) == 2
        assert seen.count(names.SESSIONS) == 3
        assert seen.count(names.LINE_HOLD) == 0.5
        assert (seen.count(names.TURNS_KEPT), seen.count(names.TURNS_KEPT_BYTES)) == (6, 7)
        assert seen.count(names.RATE_LIMIT_LEFT, tenant="one", limit="tokens_per_day") == -8.0
        assert seen.points(names.LINES) == {
            ((names.LABEL_STATE, "idle"),): 4,
            ((names.LABEL_STATE, "leased"),): 5,
            ((names.LABEL_STATE, "idle"), (names.LABEL_UPSTREAM, "azure")): 6,
        }
