"""What Kubernetes and compose are told: schemas take it, the service knows its settings, the times fit."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.config import ROWS
from tests.e2e.callers import callers
from tests.e2e.fleet import ENVOY, PATIENCE_S, fleet

pytestmark = pytest.mark.skipif(
    not ENVOY.exists(), reason="no schemas: `make e2e` and `make check` install them"
)
ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))


def load(path: Path) -> list[dict[str, Any]]:
    import yaml  # noqa: PLC0415  installed with Envoy, so perhaps not

    return list(yaml.safe_load_all(path.read_text()))


def deployed(name: str) -> dict[str, Any]:
    """The pod of a Deployment."""
    documents = load(ROOT / f"deploy/kubernetes/{name}.yaml")
    [found] = [one for one in documents if one["kind"] == "Deployment"]
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_the_schemas_of_kubernetes_take_the_manifests(path):
    import kubernetes_validate  # noqa: PLC0415  installed with Envoy, so perhaps not

    for document in load(path):
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_a_name_that_no_schema_knows_is_found():
    import kubernetes_validate  # noqa: PLC0415  installed with Envoy, so perhaps not

    document = load(MANIFESTS[0])[0]
    document["spec"]["selektor"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="selektor"):
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_the_service_knows_every_setting_that_it_is_given():
    compose = load(ROOT / "docker-compose.yml")[0]["services"]["trunkline"]["environment"]
    kubernetes = [variable["name"] for variable in deployed("trunkline")["containers"][0]["env"]]
    given = {name for name in (*compose, *kubernetes) if name.startswith(("TRUNKLINE_", "OPENAI_"))}
    assert given
    assert given <= ROWS.keys()


def test_nobody_is_killed_before_the_grace_of_its_turns_is_over():
    pod = deployed("trunkline")
    [container] = pod["containers"]
    grace = next(float(one["value"]) for one in container["env"] if one["name"] == "TRUNKLINE_DRAIN_GRACE_S")
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= stop + grace + 10
    assert "${STOP_GRACE_PERIOD:-40s}" in (ROOT / "docker-compose.yml").read_text()
    assert "${TRUNKLINE_DRAIN_GRACE_S:-30}" in (ROOT / "docker-compose.yml").read_text()


async def test_an_envoy_that_has_to_go_lets_its_calls_finish(tmp_path):
    """The preStop of the manifest, against a real Envoy."""
    script = deployed("envoy")["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
    async with fleet(tmp_path, replicas=1) as house, callers(house.door, 1) as [caller]:
        turn = asyncio.create_task(caller.say("sim:slow(n=60, delay_ms=50)"))
        await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
        port = house.admin.rpartition(":")[2]
        stop = await asyncio.create_subprocess_exec("bash", "-c", script.replace("/9901", f"/{port}"))
        async with asyncio.timeout(PATIENCE_S):
            assert await stop.wait() == 0
        # It waited for the call, which Envoy has counted as over.
        assert not house.simulator.stats.in_flight
        await turn
        assert (len(caller.reports), caller.errors) == (1, [])
