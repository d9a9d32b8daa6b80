import pytest

from service.domain.compaction import is_compaction
from service.domain.messages import TextPart, UpstreamItemPart


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (UpstreamItemPart("compaction", "{}"), True),
        (UpstreamItemPart("compaction_summary", "{}"), True),
        (UpstreamItemPart("compaction_trigger", "{}"), False),
        (TextPart("compaction"), False),
    ],
)
def test_what_stands_for_a_conversation(part, expected):
    assert is_compaction(part) is expected
