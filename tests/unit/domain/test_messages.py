from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest, Message, Role, TextPart


def test_many_small_parts_weigh_more_than_their_bytes():
    message = Message(Role.USER, (TextPart("a"),) * 10)
    assert CompletionRequest("s", "m", (message, message), size=80).weight == 80 + 20 * 256


def test_what_is_large_is_more_than_the_bound():
    assert not CompletionRequest("s", "m", (), size=LARGE_BYTES).large
    assert CompletionRequest("s", "m", (), size=LARGE_BYTES + 1).large
