"""The items with which the model asks its caller to act: custom tools, shells, patches, a computer.

Each function returns the step of one item, with the events that the upstream sends while it is written;
those named `*_output` are what a caller, or a container of the upstream, answers.
"""

from collections.abc import Sequence

from simulator.errors import Json
from simulator.scripts.hosted import CONTAINER, PIXEL
from simulator.scripts.steps import Item, Progress, Stream

_BEGUN = {"status": "in_progress"}
_DONE = {"status": "completed"}
_EXIT = {"type": "exit", "exit_code": 0}


def custom_call(
    name: str, words: str, *, call_id: str | None = None, namespace: str | None = None, closed: bool = True
) -> Item:
    fields = {"name": name, "input": words, **_DONE} | ({"call_id": call_id} if call_id else {})
    fields |= {"namespace": namespace} if namespace else {}
    events = (Stream("response.custom_tool_call_input", "input", words),)
    begun = {**_BEGUN, "input": ""}
    return Item("custom_tool_call", "ctc", fields, begun, events, called=True, closed=closed)


def custom_output(words: str, call_id: str) -> Item:
    return Item("custom_tool_call_output", "ctco", {"call_id": call_id, "output": words, **_DONE})


def function_output(words: str, call_id: str) -> Item:
    return Item("function_call_output", "fco", {"call_id": call_id, "output": words, **_DONE})


def shell_call(commands: Sequence[str], *, hosted: bool = False, call_id: str | None = None) -> Item:
    """A call of the shell: the caller's, or one that the upstream runs in its own container."""
    place = {"type": "container_reference", "container_id": CONTAINER} if hosted else {"type": "local"}
    action: Json = {"commands": list(commands), "timeout_ms": None, "max_output_length": None}
    fields = {"action": action, "environment": place, **_DONE} | ({"call_id": call_id} if call_id else {})
    events: list[Progress | Stream] = []
    for number, command in enumerate(commands):
        where = {"command_index": number}
        events.append(Progress("response.shell_call_command.added", {**where, "command": ""}))
        events.append(Stream("response.shell_call_command", "command", command, where))
    begun = {**_BEGUN, "action": {**action, "commands": []}}
    return Item("shell_call", "sh", fields, begun, tuple(events), called=True)


def shell_output(lines: Sequence[str], call_id: str) -> Item:
    """The output of a shell that the upstream runs itself, one entry for each command."""
    output = [{"outcome": _EXIT, "stdout": line, "stderr": ""} for line in lines]
    events: list[Progress | Stream] = []
    for number, entry in enumerate(output):
        name, where = "response.shell_call_output_content", {"command_index": number}
        events.append(Progress(f"{name}.delta", {**where, "delta": {"stdout": entry["stdout"]}}))
        events.append(Progress(f"{name}.done", {**where, "output": [entry]}))
    fields = {"call_id": call_id, "max_output_length": None, "output": output, **_DONE}
    return Item("shell_call_output", "sho", fields, {**_BEGUN, "output": []}, tuple(events))


def local_shell_call(command: Sequence[str], *, call_id: str | None = None) -> Item:
    action: Json = {"type": "exec", "command": list(command), "env": {}}
    fields = {"action": action, **_DONE} | ({"call_id": call_id} if call_id else {})
    begun = {**_BEGUN, "action": {**action, "command": []}}
    return Item("local_shell_call", "lsh", fields, begun, called=True)


def local_shell_output(words: str, call_id: str) -> Item:
    return Item("local_shell_call_output", "lsho", {"id": call_id, "output": words, **_DONE})


def apply_patch(operation: Json, *, call_id: str | None = None) -> Item:
    fields = {"operation": operation, **_DONE} | ({"call_id": call_id} if call_id else {})
    return Item("apply_patch_call", "apc", fields, _BEGUN, called=True)


def apply_patch_output(words: str, call_id: str) -> Item:
    return Item("apply_patch_call_output", "apco", {"call_id": call_id, "output": words, **_DONE})


def computer_call(actions: Sequence[Json], *, warning: str = "", call_id: str | None = None) -> Item:
    checks = (
        [{"id": "cu_sc_simulated", "code": "malicious_instructions", "message": warning}] if warning else []
    )
    fields: Json = {"actions": list(actions), "pending_safety_checks": checks, **_DONE}
    fields |= {"call_id": call_id} if call_id else {}
    return Item("computer_call", "cu", fields, _BEGUN, called=True)


def computer_output(call_id: str) -> Item:
    shot = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXEL}"}
    return Item("computer_call_output", "cuo", {"call_id": call_id, "output": shot, **_DONE})
