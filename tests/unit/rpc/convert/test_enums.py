"""Test that the enum tables are total in both directions."""

import pytest

from service.domain.errors import Reason
from service.domain.events import ReasoningKind, StopReason
from service.domain.failure_policy import POLICIES
from service.domain.messages import Role, ToolKind, Transport
from service.domain.report import LineState
from service.gen.trunkline.v1 import completion_pb2, message_pb2, session_pb2
from service.rpc.convert.enums import (
    LINE_STATES,
    REASONING_KINDS,
    ROLES,
    ROLES_OUT,
    STOP_REASONS,
    TOOL_CHOICE_MODES,
    TOOL_KINDS,
    TOOL_KINDS_OUT,
    TRANSPORTS,
    TRANSPORTS_OUT,
)
from service.rpc.convert.messages import READERS
from service.rpc.convert.part_contexts import PART_CONTEXTS, TOOL_RESULT
from service.rpc.status import CODES

UNSPECIFIED = 0


@pytest.mark.parametrize(
    ("table", "ours"),
    [
        (ROLES_OUT, Role),
        (TRANSPORTS_OUT, Transport),
        (REASONING_KINDS, ReasoningKind),
        (STOP_REASONS, StopReason),
        (LINE_STATES, LineState),
        (CODES, Reason),
        (PART_CONTEXTS, Role),
        (TOOL_KINDS_OUT, ToolKind),
    ],
    ids=[
        "roles",
        "transports",
        "reasoning kinds",
        "stop reasons",
        "line states",
        "codes",
        "places",
        "tool kinds",
    ],
)
def test_every_domain_value_has_a_contract_value(table, ours):
    assert set(table) == set(ours)


@pytest.mark.parametrize(
    ("numbers", "contract"),
    [
        (set(ROLES) | {UNSPECIFIED}, message_pb2.Role),
        (set(TRANSPORTS), completion_pb2.Transport),
        (set(TOOL_KINDS), message_pb2.ToolCallKind),
        (set(TOOL_CHOICE_MODES) | {UNSPECIFIED}, completion_pb2.ToolChoiceMode),
        (set(REASONING_KINDS.values()) | {UNSPECIFIED}, completion_pb2.ReasoningKind),
        (set(STOP_REASONS.values()) | {UNSPECIFIED}, completion_pb2.StopReason),
        (set(LINE_STATES.values()) | {UNSPECIFIED}, session_pb2.LineState),
    ],
)
def test_every_number_of_the_contract_has_a_meaning(numbers, contract):
    assert numbers == set(contract.values())


@pytest.mark.parametrize(
    ("table", "prefix", "contract"),
    [
        (ROLES_OUT, "ROLE_", message_pb2.Role),
        (TRANSPORTS_OUT, "TRANSPORT_", completion_pb2.Transport),
        (REASONING_KINDS, "REASONING_KIND_", completion_pb2.ReasoningKind),
        (STOP_REASONS, "STOP_REASON_", completion_pb2.StopReason),
        (LINE_STATES, "LINE_STATE_", session_pb2.LineState),
    ],
)
def test_each_means_what_it_is_called(table, prefix, contract):
    assert {ours: contract.Name(number) for ours, number in table.items()} == {
        ours: prefix + ours.name for ours in table
    }


def test_every_part_of_the_contract_has_a_reader_and_a_place():
    kinds = {field.name for field in message_pb2.Part.DESCRIPTOR.oneofs_by_name["part"].fields}
    assert set(READERS) | {"text"} == kinds
    assert set().union(*(place.parts for place in PART_CONTEXTS.values())) == kinds
    assert kinds > TOOL_RESULT.parts


def test_a_reason_that_goes_by_another_name_has_its_code():
    renamed = {reason: policy.public for reason, policy in POLICIES.items() if policy.public}
    assert renamed
    assert all(CODES[reason] is CODES[public] for reason, public in renamed.items())
