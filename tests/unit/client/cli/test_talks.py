"""Which sessions a chat lets the service forget: those that nobody can name again."""

import pytest

from trunkline import AsyncClient, TrunklineError
from trunkline.aio.conversation import AsyncConversation
from trunkline.cli.talks import Talks


@pytest.fixture
def released(monkeypatch):
    ids = []

    async def release(conversation, *, timeout):
        ids.append(conversation.session_id)
        raise TrunklineError("UNAVAILABLE", "nobody is there")  # leaving goes on without the service

    monkeypatch.setattr(AsyncConversation, "release", release)
    return ids


def talks(client, *, named=False):
    made = Talks(client.conversation("first", model="m"), named=named)
    made.current.began = True
    return made


async def test_leaving_releases_all_that_began(released):
    chat = talks(AsyncClient("127.0.0.1:1"))
    chat.fork()
    chat.fork()
    chat.current.began = True
    last = chat.current.conversation.session_id
    await chat.close()
    assert released == ["first", last]


async def test_a_session_that_was_named_is_kept_but_not_its_copy(released):
    async with AsyncClient("127.0.0.1:1") as client:
        chat = talks(client, named=True)
        chat.fork()
        chat.current.began = True
        copy = chat.current.conversation.session_id
        assert await chat.back()
        assert not await chat.back()
        assert released == [copy]
        await chat.new()
        assert released == [copy]
        assert not chat.current.named


async def test_a_new_conversation_lets_the_old_one_go(released):
    async with AsyncClient("127.0.0.1:1") as client:
        chat = talks(client)
        await chat.new()
        assert released == ["first"]
        await chat.new()  # the one between never began
        assert released == ["first"]
