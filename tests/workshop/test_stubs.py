"""The two copies of the stubs, the service's and the client's, live together in one process."""

import importlib

import pytest


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
