"""A scripted Responses upstream, for tests and demos: WebSocket and server-sent events on one port."""

from simulator import scripts
from simulator.journal import Received, Stats
from simulator.server import Simulator
from simulator.settings import Settings

__all__ = ["Received", "Settings", "Simulator", "Stats", "scripts"]
