"""Stand-in."""

from __future__ import annotations

from types import TracebackType

from service.domain.turn_record import TurnRecord


class TurnTrace:
    def __init__(self, record: TurnRecord) -> None:
        self.record = record

    def __enter__(self) -> TurnTrace:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.record.end(error)

    def headers(self) -> dict[str, str]:
        return {}
