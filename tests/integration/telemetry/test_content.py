"""Test that content is exported only where the operator asked for it."""

import pytest

from service.telemetry import names
from service.telemetry.otel_env import Capture
from tests.stack import MODEL, request, stack
from tests.watching import watching

CONTENT = {names.INPUT_MESSAGES, names.OUTPUT_MESSAGES, names.SYSTEM_INSTRUCTIONS}


@pytest.mark.parametrize("capture", Capture)
async def test_content_is_shown_where_it_was_asked_for(capture):
    with watching(capture=capture) as seen:
        async with stack(telemetry=seen.telemetry) as service:
            await service.done(request("pr0mpt", instructions="Be kind."))
        chat = seen.one(f"chat {MODEL}")
    on_span = CONTENT & set(chat.attributes or {})
    details = [event for event in chat.events if event.name == names.EVENT_DETAILS]
    in_events = {name for event in details for name in event.attributes or {}}
    assert len(on_span) == (3 if capture.on_span else 0)
    assert len(in_events) == (3 if capture.as_event else 0)
    assert ("pr0mpt" in chat.to_json()) is capture.enabled
