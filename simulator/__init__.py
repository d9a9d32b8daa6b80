"""A scripted Responses upstream: WebSocket and server-sent events on one port.

Owns everything that stands in for the real upstream, in tests and where no key is set. It must never import
the service.
"""

from simulator import scripts
from simulator.journal import Received, Stats
from simulator.server import Simulator
from simulator.settings import Settings

__all__ = ["Received", "Settings", "Simulator", "Stats", "scripts"]
