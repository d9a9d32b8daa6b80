"""The process: how its threads share the core."""

import os

from service.app import schedule


def test_where_the_system_forbids_it_or_does_not_know_it_nothing_happens(monkeypatch):
    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbid)
    schedule("SCHED_BATCH")
    schedule("SCHED_NO_SUCH_THING")
