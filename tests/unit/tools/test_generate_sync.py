import pytest

from tools import generate_sync


@pytest.mark.parametrize("name", generate_sync.MODULES)
def test_the_committed_blocking_client_matches_the_asyncio_one(name):
    committed = (generate_sync.PACKAGE / f"sync/{name}.py").read_text(encoding="utf-8")
    assert committed == generate_sync.blocking(name)


def test_each_phrase_is_still_said():
    asyncio_form = "".join(
        (generate_sync.PACKAGE / f"aio/{name}.py").read_text(encoding="utf-8")
        for name in generate_sync.MODULES
    )
    assert [phrase for phrase in generate_sync.PHRASES if phrase not in asyncio_form] == []


def test_a_change_of_the_asyncio_client_changes_the_blocking_one(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_sync, "PACKAGE", tmp_path)
    (tmp_path / "aio").mkdir()
    (tmp_path / "aio/client.py").write_text(
        "from trunkline.aio.turn import AsyncTurn\n\n\n"
        "async def turns(client: AsyncClient) -> AsyncIterator[AsyncTurn]:\n"
        "    async for turn in client:\n"
        "        yield await turn\n"
    )
    assert generate_sync.blocking("client") == (
        "# Generated from trunkline/aio/client.py by `make fmt`, never edited.\n"
        "from trunkline.sync.turn import SyncTurn\n\n\n"
        "def turns(client: Client) -> Iterator[SyncTurn]:\n"
        "    yield from client\n"
    )
