import asyncio

import pytest

from simulator.journal import Journal, Received
from simulator.settings import Settings


def received(size: int = 1, **body) -> Received:
    return Received("http", "http_1", body, size, {"authorization": "Bearer sk-secret"})


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ("Hi.", ["message"]),
        ("", []),
        (None, []),
        ([{"role": "user", "content": "Hi."}, {"type": "reasoning"}, 7], ["message", "reasoning"]),
    ],
)
def test_a_summary_names_the_types_of_the_items(given, items):
    assert received(input=given).summary()["items"] == items


async def test_waiting_ends_with_the_change():
    journal = Journal(Settings())
    waiting = asyncio.create_task(journal.wait_for(lambda: journal.stats.pings == 2, timeout=5))
    for _ in range(2):
        await asyncio.sleep(0)
        assert not waiting.done()
        journal.count("pings")
    await waiting
    await journal.wait_for(lambda: True, timeout=5)


async def test_waiting_has_a_limit():
    journal = Journal(Settings())
    with pytest.raises(TimeoutError):
        await journal.wait_for(lambda: False, timeout=0.01)


def test_the_oldest_requests_go_first():
    journal = Journal(Settings(keep_requests=3))
    for number in range(10):
        journal.arrived(received(number=number))
    assert [request.body["number"] for request in journal.requests] == [7, 8, 9]
    assert journal.stats.requests_total == 10


def test_large_requests_are_not_kept_for_long():
    journal = Journal(Settings(keep_request_bytes=100))
    for number in range(5):
        journal.arrived(received(60, number=number))
    assert [request.body["number"] for request in journal.requests] == [4]


def test_a_record_does_not_show_secrets():
    record = received(previous_response_id="resp_1", generate=False)
    assert "sk-secret" not in repr(record)
    assert "headers" not in record.summary()
    assert (record.previous_response_id, record.generate) == ("resp_1", False)


def test_the_highest_number_in_flight_is_kept():
    journal = Journal(Settings())
    records = [received(), received()]
    for _ in records:
        journal.started()
    for record in records:
        journal.ended(record, otherwise="aborted")
    assert (journal.stats.in_flight, journal.stats.max_in_flight, journal.stats.aborted) == (0, 2, 2)
