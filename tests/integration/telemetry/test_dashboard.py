"""Test that every query of the dashboard and the alerts names what the service exports."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.telemetry import names, sampler
from service.telemetry.setup import Providers
from simulator.scripts import Drop, Emit, Fail, Hang, Say, Script, Start
from tests.parts import telemetry_settings
from tests.stack import request, stack
from tests.watching import PATIENCE_S, until

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/trunkline.json").read_text(encoding="utf-8"))
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
BY_PROMETHEUS = {"job", "instance", "le"}
WORDS = {"and", "or", "unless"}
SELECTOR = re.compile(r"\{([^}]*)\}")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
NAME = re.compile(r"[a-z_][a-z0-9_:]*(?![a-z0-9_:]*\()")


def queries():
    """The queries of the dashboard with their legends, and those of the alerts."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
    rules = (DEPLOY / "prometheus/trunkline.yml").read_text(encoding="utf-8")
    for block in re.findall(r"expr: \|\n((?: {10,}.*\n)+)", rules):
        yield " ".join(block.split()), []
    for line in re.findall(r"expr: ([^|\n].*)", rules):
        yield line, []


def asked(query):
    """The metrics of a query, and the labels."""
    labels = {label for selector in SELECTOR.findall(query) for label in LABEL.findall(selector)}
    labels |= {label.strip() for group in GROUPING.findall(query) for label in group.split(",")}
    bare = re.sub(r"\[[^\]]*\]", " ", GROUPING.sub(" ", SELECTOR.sub(" ", query)))
    return set(NAME.findall(re.sub(r"\s+\(", "(", bare))) - WORDS, labels


async def everything(service):
    """Cause every counted event once."""
    first = await service.done(request("Hello."))
    kept = request("Hello.", session="kept", turn_key="k", options={"linger": {"seconds": 60}})
    assert [(await service.done(kept)).report.attached for _ in range(2)] == [False, True]
    await service.done(request("Hello.", first.message, "And?"))
    for script in (
        Script(Start(), Drop()),
        Script(Start(), Emit({"type": "response.jingle"}), Say("Hello.")),
        Script(Say("Half", closed=False), Fail()),
        Script(Say("Half", closed=False), Hang()),
    ):
        service.simulator.enqueue(script)
        call = service.completions.StreamCompletion(request("Hello.", session="other"), timeout=PATIENCE_S)
        try:
            async for event in call:
                if script.steps[-1] == Hang() and event.HasField("text_delta"):
                    await refuse(service)
                    call.cancel()
        except (grpc.RpcError, asyncio.CancelledError):
            pass
        await until(lambda: not service.manager.counts().turns)  # its place is free again
    service.simulator.settings.refuse_websocket = 426
    await service.done(request("Hello.", session="third"))


async def refuse(service):
    """The only admission slot is taken."""
    with pytest.raises(grpc.RpcError):
        await service.done(request("Hello.", options={"transport": pb.TRANSPORT_SSE}))


@pytest.fixture(scope="module")
def exported():
    """Each name that Prometheus reads, and its labels."""

    async def run():
        settings = telemetry_settings(metrics_listen="127.0.0.1:0")
        providers = Providers(settings, {})
        telemetry = providers.telemetry
        running = stack({"MAX_TURNS": "1"}, telemetry=telemetry)
        async with running as service, httpx.AsyncClient() as client:
            counts = service.manager.counts
            sampling = asyncio.create_task(sampler.run(telemetry, counts, period_s=0.01))
            await everything(service)
            await until(lambda: not service.manager.counts().turns)
            await asyncio.sleep(0.05)
            page = (await client.get(f"http://{providers.metrics_address}/metrics")).text
            sampling.cancel()
        await asyncio.to_thread(providers.close)
        return page

    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(asyncio.run(run())):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


@pytest.mark.parametrize(("query", "legend"), list(queries()))
def test_each_query_names_exported_metrics(exported, query, legend):
    metrics, labels = asked(query)
    assert metrics
    known = set(BY_PROMETHEUS)
    for metric in metrics:
        assert metric in exported
        known |= exported[metric]
    assert labels <= known
    assert set(legend) <= known


def test_each_exported_metric_is_shown(exported):
    """Every metric of the service: one that is not shown should not be counted."""
    shown = {
        metric.removesuffix("_bucket").removesuffix("_count")
        for query, _ in queries()
        for metric in asked(query)[0]
    }
    ours = {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum").removesuffix("_created")
        for name in exported
        if name.startswith(("trunkline_", "gen_ai_", "rpc_")) and not name.endswith("_created")
    }
    assert ours - shown == set()


def test_the_queries_were_found():
    assert len(list(queries())) > 40


def test_each_query_of_the_dashboard_is_narrowed_by_all_variables_that_fit(exported):
    variables = {"instance": "replica", "gen_ai_request_model": "model", "model": "model", "tenant": "tenant"}
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            (metric, *others), _ = asked(target["expr"])
            assert not others
            for label in exported[metric] & variables.keys() | {"instance"}:
                narrowed = target["expr"].count(f'{label}=~"${variables[label]}"')
                assert narrowed == target["expr"].count(metric), target["expr"]


def test_the_values_of_each_variable_are_those_of_an_exported_label(exported):
    assert list(VARIABLES) == ["replica", "model", "tenant", "jaeger"]
    for name in ("model", "tenant"):
        [(metric, label)] = re.findall(r"label_values\((\w+), (\w+)\)", VARIABLES[name]["query"]["query"])
        assert label in exported[metric]


def test_links_lead_to_jaeger_by_attributes_of_spans():
    """Each names the attribute as the service does, and takes its value from a label of the panel."""
    attributes = {value for name, value in vars(names).items() if name.isupper()}
    links = 0
    for panel in DASHBOARD["panels"]:
        shown = " ".join(target["expr"] for target in panel.get("targets", ()))
        for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", ()):
            links += 1
            address = urlsplit(link["url"].replace("${jaeger}", VARIABLES["jaeger"]["query"]))
            asked_for = parse_qs(address.query)
            assert (address.path, asked_for["service"]) == ("/search", ["trunkline"])
            for attribute, value in json.loads(asked_for.get("tags", ["{}"])[0]).items():
                assert attribute in attributes
                for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", value):
                    grouping = GROUPING.search(shown)
                    assert grouping is not None
                    assert label in grouping[1].split(", ")
    assert links >= 8


def test_an_alert_on_too_little_treats_absent_counters_as_zero():
    """A counter exists only after its first event; without a default the alert would never fire."""
    little = [query for query, _ in queries() if re.search(r"\) < [\d.]+", query)]
    assert little
    assert all("or vector(0)" in query for query in little)
