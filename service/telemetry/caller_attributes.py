"""Read what callers say of themselves, in metadata that the operator names: `of_metadata`.

It is for spans and the log, and never for a label: callers may write anything there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from service.telemetry import names
from service.telemetry.attributes import Attributes
from service.telemetry.propagation import Metadata

VALUE_BYTES = 128
NOT_PRINTABLE = re.compile(r"[^ -~]")
NOTHING: Attributes = {}


def of_metadata(keys: Sequence[str], metadata: Metadata) -> Attributes:
    """Return the attributes of the keys that the metadata has, each at most `VALUE_BYTES` of printable ASCII.

    Several values of one key are joined by commas, as HTTP joins them.
    """
    if not keys:
        return NOTHING
    found: dict[str, list[str]] = {}
    for key, value in metadata:
        if key in keys and isinstance(value, str):
            found.setdefault(key, []).append(value)
    return {f"{names.CALLER}{key}": _cleaned(",".join(values)) for key, values in found.items()}


def log_fields(caller: Attributes) -> Mapping[str, object]:
    """Return the fields of a log line, whose names have no prefix of ours."""
    return {name.removeprefix(names.PREFIX): value for name, value in caller.items()} if caller else caller


def _cleaned(text: str) -> str:
    return NOT_PRINTABLE.sub("?", text[:VALUE_BYTES])
