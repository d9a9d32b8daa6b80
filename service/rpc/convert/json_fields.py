"""Check JSON that a request carries as a string and that is passed on as it was written.

Nothing is built of what the JSON holds: the parser walks it once, and returns the type, the name, or the keys
at its top. So the cost is that of the text (2 ns a byte), whatever its shape.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import msgspec

from service.domain.limits import MAX_JSON_NODES


class Named(msgspec.Struct):
    """What an item or a tool calls itself; None: nothing."""

    type: str | None = None
    name: str | None = None


_T = TypeVar("_T")

_NAMED = msgspec.json.Decoder(Named)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)


def named(text: str) -> Named:
    """Return the type and the name of an object. Raises ValueError that says what is wrong with it."""
    return _checked(_NAMED, text)


def keys(text: str) -> Collection[str]:
    """Return the keys of an object. Raises ValueError that says what is wrong with it."""
    if text.count(":") > MAX_JSON_NODES:  # so many keys would become 10 MiB of objects
        raise ValueError(f"has more than {MAX_JSON_NODES} colons, the most that are allowed")
    return _checked(_OBJECT, text)


def check_json(text: str) -> None:
    """Raise ValueError when the text is not JSON."""
    _checked(_ANY, text)


def _checked(decoder: msgspec.json.Decoder[_T], text: str) -> _T:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except msgspec.ValidationError as error:
        raise ValueError(f"is not what it should be: {error}") from error
    except msgspec.DecodeError as error:
        raise ValueError(f"is not valid JSON: {error}") from error
