"""The deployment for real, in containers: up, a call, its trace, its metrics, a restart under a call, down.

The tests tell one story, in this order.
"""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.e2e.compose import (
    LABEL,
    ROOT,
    Deployment,
    deployment,
    run,
    skip_without_engine,
    skip_without_image,
    until,
)
from trunkline import Client, Done

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployment]:
    skip_without_engine()
    house = deployment(LOAD_RATE="5")
    try:
        house.reported = house.make("up")
        yield house
    finally:
        house.make("down")


def test_up_waits_until_all_is_healthy_and_says_where_things_are(deployed):
    states = {one["Name"]: one["State"]["Health"]["Status"] for one in deployed.containers()}
    assert len(states) == 5, states
    assert set(states.values()) == {"healthy"}, states
    assert deployed.address in deployed.reported
    assert deployed.jaeger in deployed.reported


def test_nothing_is_privileged_and_only_envoy_and_jaeger_are_reached_from_this_machine_alone(deployed):
    published = {}
    for container in deployed.containers():
        name, host = container["Config"]["Labels"]["com.docker.compose.service"], container["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert not host["Privileged"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"], name
        assert host["PidsLimit"], name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert container["Config"]["User"].split(":")[0] not in ("", "0", "root"), name
        for bindings in filter(None, container["NetworkSettings"]["Ports"].values()):
            published[name] = {binding["HostIp"] for binding in bindings}
    assert published == {"envoy": {"127.0.0.1"}, "jaeger": {"127.0.0.1"}}


def test_a_call_through_envoy_streams_and_jaeger_shows_it_from_the_caller_to_the_model(deployed):
    program = [sys.executable, "-m", "tests.e2e.traced_call", deployed.address, deployed.collector]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    assert reported["turns"][0]["deltas"] >= 5
    assert [turn["context"] for turn in reported["turns"]] == ["full", "incremental"]

    trace = until(lambda: _whole_trace(deployed, reported["trace"]))
    services = {pid: process["serviceName"] for pid, process in trace["processes"].items()}
    spans = {span["spanID"]: span for span in trace["spans"]}
    chats = [span for span in spans.values() if span["operationName"] == "chat simulated-1"]
    assert len(chats) == 2
    for span in chats:
        assert services[span["processID"]] == "trunkline"
        way = [span]
        while parent := [one["spanID"] for one in way[-1]["references"] if one["refType"] == "CHILD_OF"]:
            way.append(spans[parent[0]])
        assert way[-1]["operationName"] == "task"
        assert services[way[-1]["processID"]] == "caller"


def _whole_trace(deployed: Deployment, trace: str):
    """The trace, once both turns and the caller's own span have arrived."""
    try:
        with urllib.request.urlopen(f"{deployed.jaeger}/api/traces/{trace}") as answer:
            [found] = json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None
    names = [span["operationName"] for span in found["spans"]]
    return found if names.count("chat simulated-1") == 2 and "task" in names else None


def test_a_restart_of_all_replicas_lets_a_running_turn_finish(deployed):
    ended, begun = [], threading.Event()

    def turn() -> None:
        with Client(deployed.address) as client:
            for event in client.conversation(model="simulated-1").stream("sim:slow(n=60, delay_ms=50)"):
                begun.set()
                ended.append(event)

    thread = threading.Thread(target=turn)
    thread.start()
    begun.wait(60)
    deployed.compose("restart", "trunkline")
    thread.join(60)
    assert isinstance(ended[-1], Done)


def test_more_replicas_are_found(deployed):
    deployed.make("up", "SCALE=3")
    assert len(deployed.containers("trunkline")) == 3
    until(lambda: deployed.envoy_stat("cluster.trunkline.membership_healthy") == 3)


def test_the_page_is_built_and_comes_from_the_same_origin_as_the_calls(deployed):
    skip_without_image("node:24-slim")
    deployed.compose("up", "--build", "--detach", "--wait", "web")
    # Envoy was up before the page, and looks for it every few seconds (`dns_refresh_rate`).
    until(lambda: deployed.envoy_stat("cluster.web.membership_healthy") == 1)
    for path, text in (("/", b"app.js"), ("/app.js", b"CompletionService"), ("/style.css", b"{")):
        with urllib.request.urlopen(f"http://{deployed.address}{path}") as answer:
            assert text in answer.read()


def test_the_load_gives_jaeger_turns_of_all_endings(deployed):
    deployed.compose("up", "--build", "--detach", "load")
    wanted = {"OK", "CANCELLED", "UPSTREAM_ERROR"}

    def endings() -> set[str]:
        with urllib.request.urlopen(f"{deployed.jaeger}/api/traces?service=trunkline&limit=1000") as answer:
            spans = [span for trace in json.load(answer)["data"] for span in trace["spans"]]
        return {tag["value"] for span in spans for tag in span["tags"] if tag["key"] == "trunkline.ending"}

    until(lambda: wanted <= endings())
    deployed.compose("stop", "load")
    service = "label=com.docker.compose.service=load"
    [load] = run("docker", "ps", "--all", "--quiet", "--filter", LABEL, "--filter", service).split()
    assert json.loads(run("docker", "inspect", load))[0]["State"]["ExitCode"] == 0


def test_prometheus_reads_replicas_and_envoy(deployed):
    deployed.compose("up", "--detach", "--wait", "prometheus")
    query = [
        "exec",
        "-T",
        "prometheus",
        "wget",
        "-q",
        "-O",
        "-",
        "http://127.0.0.1:9090/api/v1/query?query=up",
    ]

    def jobs() -> list[str]:
        found = json.loads(deployed.compose(*query))["data"]["result"]
        return sorted(one["metric"]["job"] for one in found if one["value"][1] == "1")

    replicas = deployed.compose("ps", "--quiet", "trunkline").split()
    assert len(replicas) >= 2
    until(lambda: jobs() == ["envoy", *["trunkline"] * len(replicas)])


def test_down_leaves_nothing(deployed):
    deployed.make("down")
    listings = (["ps", "--all"], ["network", "ls"], ["volume", "ls"], ["images"])
    assert [run("docker", *listing, "--quiet", "--filter", LABEL) for listing in listings] == [""] * 4
