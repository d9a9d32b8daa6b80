"""What Kubernetes and compose are given: valid by schema, known settings, times that fit."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.config.settings import ROWS, Settings
from service.config.settings import load as settings_of
from tests.e2e.callers import callers
from tests.e2e.compose import deployment, skip_without_compose
from tests.e2e.fleet import ENVOY, PATIENCE_S, fleet

pytestmark = pytest.mark.skipif(
    not ENVOY.exists(), reason="no schemas: `make e2e` and `make check` install them"
)
ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


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


def composed() -> dict[str, Any]:
    service: dict[str, Any] = load(ROOT / "docker-compose.yml")[0]["services"]["trunkline"]
    return service


def test_the_service_knows_every_setting_that_it_is_given():
    compose = composed()["environment"]
    kubernetes = [variable["name"] for variable in deployed("trunkline")["containers"][0]["env"]]
    given = {name for name in (*compose, *kubernetes) if name.startswith(("TRUNKLINE_", "OPENAI_"))}
    assert given
    assert given <= ROWS.keys()


def test_compose_passes_every_setting_on_but_what_the_deployment_itself_decides():
    missing = {name.removeprefix("TRUNKLINE_") for name in ROWS.keys() - composed()["environment"].keys()}
    assert missing == {"LISTEN", "REPLICA", "TLS_CERT", "TLS_KEY", "TLS_CLIENT_CA", "PAYLOAD_HOOK"}


def test_compose_uses_every_variable_that_the_example_names():
    named = set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    passed_on = {name for name, value in composed()["environment"].items() if value is None}
    assert {"OPENAI_API_KEY", "TRUNKLINE_AUTH_FILE", "TRUNKLINE_MAX_TURNS", "ENVOY_PORT"} <= named
    assert named <= passed_on | set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))


def test_the_folder_of_secrets_is_there_read_only_and_never_committed():
    assert composed()["volumes"] == ["./deploy/secrets:/secrets:ro"]
    ignored = (ROOT / "deploy/secrets/.gitignore").read_text().splitlines()
    assert ignored[-2:] == ["*", "!.gitignore"]


def test_the_files_that_kubernetes_names_are_those_of_its_secret():
    pod = deployed("trunkline")
    [container] = pod["containers"]
    [mount] = container["volumeMounts"]
    assert pod["volumes"] == [{"name": mount["name"], "secret": {"secretName": "trunkline"}}]
    named = {one["value"] for one in container["env"] if one["name"].endswith("_FILE")}
    for page in ("deploy/kubernetes/trunkline.yaml", "docs/deployment.md"):
        [command] = re.findall(r"create secret generic trunkline (.*)", (ROOT / page).read_text())
        assert {f"{mount['mountPath']}/{name}" for name in re.findall(r"--from-file=(\S+)", command)} == named


def given(folder: Path, *lines: str) -> Settings:
    """What the service makes of an .env, by way of compose."""
    skip_without_compose()
    env = folder / "env"
    env.write_text("\n".join(lines))
    reported = deployment(COMPOSE_ENV_FILES=str(env)).compose("config", "--format", "json")
    environment = json.loads(reported)["services"]["trunkline"]["environment"]
    return settings_of({name: value for name, value in environment.items() if value is not None})


def test_without_an_env_the_simulator_is_the_upstream_and_nothing_else_is_set(tmp_path):
    settings = given(tmp_path)
    assert (settings.upstream_url, settings.openai_api_key) == ("http://simulator:8400/v1", "simulator")
    decided = {"upstream_url", "openai_api_key", "allow_insecure", "metrics_listen"}
    assert settings.given == decided | {"drain_grace_s", "drain_notice_s"}


def test_the_service_takes_all_lines_of_the_example_together(tmp_path):
    lines = [line.removeprefix("#") for line in EXAMPLE.splitlines() if re.match(r"#[A-Z_]+=", line)]
    settings = given(tmp_path, *lines)
    assert settings.upstream_key_file == "/secrets/openai-api-key"
    assert settings.auth_file == "/secrets/tenants.toml"
    assert (settings.openai_api_key, settings.caller_keys, settings.log_level) == ("", True, "debug")


def test_nobody_is_killed_before_the_grace_of_its_turns_is_over():
    pod = deployed("trunkline")
    [container] = pod["containers"]
    kubernetes = {one["name"]: one.get("value") for one in container["env"]}
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= stop + least_stop_s(kubernetes)
    compose = {
        name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
        for name, value in composed()["environment"].items()
    }
    [patience] = re.findall(r"stop_grace_period: \$\{STOP_GRACE_PERIOD:-(\d+)s\}", COMPOSE)
    assert int(patience) >= least_stop_s(compose)


def least_stop_s(environment: dict[str, Any]) -> float:
    """What docs/operations.md asks for under SIGTERM."""
    return float(environment["TRUNKLINE_DRAIN_GRACE_S"]) + float(environment["TRUNKLINE_DRAIN_NOTICE_S"]) + 10


def test_envoy_stops_taking_calls_before_its_container_is_full():
    [config] = load(ROOT / "deploy/envoy.yaml")
    [heap] = re.findall(r"'max_heap_size_bytes': (\d+)", str(config["overload_manager"]["resource_monitors"]))
    [compose] = re.findall(r"(?s)  envoy:\n.*?memory: (\d+)g", COMPOSE)
    kubernetes = deployed("envoy")["containers"][0]["resources"]["limits"]["memory"].removesuffix("Gi")
    assert int(heap) <= 0.9 * 2**30 * min(int(compose), int(kubernetes))


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
