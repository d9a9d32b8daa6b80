"""Valid requests of any size in their worst shapes, as bytes on the wire."""

from __future__ import annotations

from collections.abc import Callable

USER, ASSISTANT, TOOL = 1, 2, 3


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(role: int, parts: bytes) -> bytes:
    return field(4, b"\x08" + bytes([role]) + parts)


def part(kind: int, data: bytes) -> bytes:
    return field(2, field(kind, data))


def text(said: bytes) -> bytes:
    return part(1, field(1, said))


def repeated(unit: bytes, size: int) -> bytes:
    return unit * (size // len(unit))


def numbered(size: int, entry: Callable[[bytes], bytes]) -> bytes:
    out: list[bytes] = []
    total = 0
    while total < size:
        out.append(entry(b"%x" % len(out)))
        total += len(out[-1])
    return b"".join(out)


HEAD = field(1, b"s1") + field(2, b"m")
HELLO = message(USER, text(b"Hello."))
SEARCH = b'{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"x"}'


def json_of(unit: bytes, size: int) -> bytes:
    return b'{"x":[' + repeated(unit, size) + b"0]}"


def option(number: int, data: bytes) -> bytes:
    return HEAD + HELLO + field(6, field(number, data))


def arguments(size: int) -> bytes:
    call = field(1, b"c") + field(2, b"f") + field(3, json_of(b"[],", size))
    return HEAD + message(ASSISTANT, part(4, call)) + HELLO


def item(json: bytes) -> bytes:
    return HEAD + message(ASSISTANT, part(8, field(1, b"web_search_call") + field(2, json))) + HELLO


HONEST: dict[str, Callable[[int], bytes]] = {
    "one text": lambda size: HEAD + message(USER, text(b"a" * size)),
    "one text with an emoji": lambda size: HEAD + message(USER, text(b"a" * size + "😀".encode())),
    "10,000 messages": lambda size: HEAD + message(USER, text(b"a" * (size // 10_000 - 20))) * 9_999,
    "20,000 texts": lambda size: HEAD + message(USER, text(b"a" * (size // 20_000 - 12)) * 19_990),
    "an image": lambda size: HEAD + message(USER, part(2, field(2, b"\0" * size) + field(4, b"image/png"))),
    "one call's arguments": arguments,
    "an item": lambda size: item(SEARCH + b',"x":"' + b"a" * size + b'"}'),
    "an item of objects": lambda size: item(SEARCH + b"," + json_of(b"{},", size)[1:]),
    "instructions": lambda size: HEAD + field(3, b"a" * size) + HELLO,
    "quotes": lambda size: HEAD + message(USER, text(b'"a' * (size // 2))),
    "phases": lambda size: (
        HEAD
        + message(ASSISTANT, (part(1, field(2, b"commentary")) + part(1, b"")) * 9_000)
        + message(USER, text(b"a" * (size - 300_000)))
    ),
}
"""What a turn may hold: it is answered."""

REFUSED: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "texts of the user": ("messages[].parts", lambda size: HEAD + message(1, repeated(text(b"a"), size))),
    "empty texts": ("messages[].parts", lambda size: HEAD + message(2, repeated(part(1, b""), size)) + HELLO),
    "calls": (
        "messages[].parts",
        lambda size: HEAD + message(2, repeated(part(4, field(1, b"a") + field(2, b"a")), size)) + HELLO,
    ),
    "parts of a result": (
        "messages[].parts",
        lambda size: HEAD + message(3, part(5, field(1, b"c") + repeated(text(b"a"), size))),
    ),
    "summaries": (
        "messages[].parts[].reasoning.summary",
        lambda size: (
            HEAD + message(2, part(6, field(1, b"r") + field(3, b"x") + repeated(b"\x12\0", size))) + HELLO
        ),
    ),
    "extra keys": (
        "messages[0].parts[0].extra_json",
        lambda size: (
            HEAD
            + message(
                1,
                field(2, field(1, field(1, b"a")) + field(15, numbered(size, lambda key: b'"%s":0,' % key))),
            )
        ),
    ),
    "includes": ("options.include", lambda size: HEAD + HELLO + field(6, repeated(field(17, b"a"), size))),
    "a definition": (
        "tools[0].definition_json",
        lambda size: HEAD + HELLO + field(5, field(5, b'{"type":"t",' + json_of(b"[],", size)[1:])),
    ),
    "messages": ("messages", lambda size: HEAD + repeated(message(1, text(b"a")), size)),
    "tools": ("tools", lambda size: HEAD + HELLO + numbered(size, lambda name: field(5, field(1, name)))),
    "functions": (
        "options.tool_choice.allowed.functions",
        lambda size: option(7, field(3, b"\x08\x01" + repeated(field(2, b"t"), size))),
    ),
    "metadata": (
        "options.metadata",
        lambda size: HEAD + HELLO + field(6, numbered(size, lambda key: field(10, field(1, key)))),
    ),
    "an extra body": ("options.extra_body_json", lambda size: option(16, json_of(b"[],", size))),
    "an extra body of objects": ("options.extra_body_json", lambda size: option(16, json_of(b"{},", size))),
    "a deep extra body": (
        "options.extra_body_json",
        lambda size: option(16, json_of(b"[" * 90 + b"]" * 90 + b",", size)),
    ),
    "large integers": ("options.extra_body_json", lambda size: option(16, json_of(b"9" * 4000 + b",", size))),
    "a schema": (
        "options.text.json_schema.schema",
        lambda size: option(9, field(3, field(1, b"n") + field(2, json_of(b"[],", size)))),
    ),
    "parameters": (
        "tools[0].parameters",
        lambda size: HEAD + HELLO + field(5, field(1, b"t") + field(3, json_of(b"[],", size))),
    ),
    "a model": ("model", lambda size: field(1, b"s1") + field(2, b"m" * size) + HELLO),
    "a request id": ("request_id", lambda size: HEAD + HELLO + field(7, b"a" * size)),
    "a service tier": ("options.service_tier", lambda size: option(12, b"a" * size)),
    "unknown fields": ("request", lambda size: HEAD + HELLO + repeated(field(99, b""), size)),
    "options again and again": ("request", lambda size: HEAD + HELLO + repeated(field(6, b""), size)),
}
"""What no turn may hold: it is refused by the name of the field. From about 2 MiB on."""

GROWING: dict[str, Callable[[int], bytes]] = {
    "control characters": lambda size: HEAD + message(USER, text(b"\x01" * size)),
    "control characters in instructions": lambda size: HEAD + field(3, b"\x01" * size) + HELLO,
    "control characters in 20,000 texts": lambda size: (
        HEAD + message(USER, text(b"\x01" * (size // 20_000 - 12)) * 19_990)
    ),
}
"""What is six times as large as JSON: refused where that is more than twice the largest request."""
