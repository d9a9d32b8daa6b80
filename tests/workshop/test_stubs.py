"""The two copies of the stubs, the service's and the client's, live together in one process."""

import importlib
from importlib.resources import files
from pathlib import Path

import pytest
from google.api.annotations_pb2 import http  # type: ignore[import-untyped]

THIRD_PARTY = Path(__file__).parents[2] / "third_party"


@pytest.mark.parametrize("name", ["completion_pb2", "message_pb2", "session_pb2"])
def test_both_copies_load_in_one_process(name):
    ours = importlib.import_module(f"service.gen.trunkline.v1.{name}")
    theirs = importlib.import_module(f"trunkline.gen.trunkline.v1.{name}")
    assert ours is not theirs
    assert ours.DESCRIPTOR.name == f"trunkline/v1/{name.removesuffix('_pb2')}.proto"
    assert ours.DESCRIPTOR.serialized_pb == theirs.DESCRIPTOR.serialized_pb


def test_what_one_copy_writes_the_other_reads():
    ours = importlib.import_module("service.gen.trunkline.v1.completion_pb2")
    theirs = importlib.import_module("trunkline.gen.trunkline.v1.completion_pb2")
    sent = theirs.StreamCompletionRequest(session_id="s1", model="m")
    assert ours.StreamCompletionRequest.FromString(sent.SerializeToString()).session_id == "s1"


@pytest.mark.parametrize("proto", sorted(THIRD_PARTY.rglob("*.proto")), ids=lambda path: path.name)
def test_copies_of_googles_protos_are_those_of_the_locked_package(proto):
    name = proto.relative_to(THIRD_PARTY / "google")
    assert proto.read_text() == files("google").joinpath(str(name)).read_text()


@pytest.mark.parametrize("name", ["completion_pb2", "session_pb2"])
def test_every_method_has_its_http_path(name):
    module = importlib.import_module(f"service.gen.trunkline.v1.{name}")
    services = module.DESCRIPTOR.services_by_name.values()
    rules = [method.GetOptions().Extensions[http] for service in services for method in service.methods]
    assert all(rule.WhichOneof("pattern") for rule in rules)
