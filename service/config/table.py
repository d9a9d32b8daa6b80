"""Print the table in docs/settings.md: `python -m service.config.table`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from service.config.settings import ROWS


def table() -> Iterator[str]:
    """Yield the lines of the table in docs/settings.md."""
    yield "| variable | default | unit | what it is |"
    yield "|---|---|---|---|"
    for name, row in ROWS.items():
        default = f"`{row.metadata['default']}`" if row.metadata["default"] else ""
        yield f"| `{name}` | {default} | {row.metadata['unit']} | {row.metadata['doc']} |"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table())
