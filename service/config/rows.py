"""Declare the rows of the table of settings: `setting`, `seconds`, `count`, `rate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from service.config import parsers


def setting(parse: Callable[[str], object], default: str, doc: str, unit: str = "", **more: Any) -> Any:
    """Declare a row of the table. The default is parsed like a value of the environment.

    `own`: each upstream of the upstreams file may have a value of its own.
    """
    return dataclasses.field(
        default_factory=lambda: parse(default),
        repr=not more.get("secret"),
        metadata={"parse": parse, "default": default, "doc": doc, "unit": unit, **more},
    )


def seconds(default: str, doc: str, *, zero: bool = False, own: bool = False) -> Any:
    return setting(parsers.zero_seconds if zero else parsers.positive_seconds, default, doc, "s", own=own)


def count(default: str, doc: str, unit: str = "", *, zero: bool = False, own: bool = False) -> Any:
    return setting(parsers.zero_count if zero else parsers.positive_count, default, doc, unit, own=own)


def rate(doc: str) -> Any:
    return setting(parsers.optional_count, "", f"{doc} Empty: no limit.")
