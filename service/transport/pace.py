"""What the transports see of an event loop that throttles running answers while it is busy: `Pace`."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """`delay_s`: the interval between two polls of running answers, in seconds; 0: nothing waits."""

    delay_s: float

    def throttle(self, fd: int) -> None:
        """Let what arrives on this socket wait for the next poll: it carries a running answer."""
        ...

    def prioritise(self, fd: int) -> bool:
        """Let what arrives on this socket wake the loop. Return whether it was throttled: something may have
        arrived unnoticed.
        """
        ...


class Unpaced:
    """The pace of an ordinary event loop: nothing waits."""

    delay_s = 0.0

    def throttle(self, fd: int) -> None:
        pass

    def prioritise(self, fd: int) -> bool:
        return False
