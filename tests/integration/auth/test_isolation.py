"""One tenant's sessions are nothing to another, whatever ids they choose."""

from service.gen.trunkline.v1 import session_pb2
from tests.integration.auth.doors import Knock, bearer, outcome
from tests.integration.service.talk import Talk, context
from tests.stack import request, user

ALPHA, BETA = bearer("t0k3n-alpha"), bearer("t0k3n-beta")


async def listed(house, metadata):
    answer = await house.sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=metadata)
    return [session.session_id for session in answer.sessions]


async def test_another_tenant_s_session_cannot_be_seen_released_or_continued(start, auth_file):
    house = await start({"AUTH_FILE": str(auth_file)})
    alpha, beta = (Knock(house.channel, metadata, session="same") for metadata in (ALPHA, BETA))
    talk = Talk(house, "same")

    async def says(text):
        talk.messages.append(user(text))
        done = await house.done(talk.request(), metadata=ALPHA)
        talk.messages.append(done.message)
        return done

    await says("My secret is heron.")
    assert (await outcome(beta.get))[0] == "NOT_FOUND"
    assert await listed(house, BETA) == []
    assert (await outcome(beta.release))[0] == "OK", "unknown: a no-op"
    assert (await outcome(alpha.get))[0] == "OK"

    # The whole conversation, with the same id: it is told in full, over another line.
    stolen = await house.done(request(*talk.messages, "And?", session="same"), metadata=BETA)
    assert context(stolen) == (False, "first_turn")
    first, second = house.simulator.requests[-2:]
    assert first.connection_id != second.connection_id
    assert second.previous_response_id is None

    assert context(await says("And now?")) == (True, "continued")
    assert await listed(house, ALPHA) == await listed(house, BETA) == ["same"]
    assert (await outcome(beta.release))[0] == "OK"
    assert (await outcome(alpha.get))[0] == "OK"


async def test_a_page_token_of_another_tenant_shows_nothing_of_it(start, auth_file):
    house = await start({"AUTH_FILE": str(auth_file)})
    for number in range(3):
        await Knock(house.channel, ALPHA, session=f"s{number}").warm()
    page = session_pb2.ListSessionsRequest(page_size=1)
    token = (await house.sessions.ListSessions(page, metadata=ALPHA)).next_page_token
    assert token
    page.page_token = token
    assert not (await house.sessions.ListSessions(page, metadata=BETA)).sessions
