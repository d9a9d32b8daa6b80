"""Raise the limit of open files to what the settings need."""

from __future__ import annotations

import resource

from service.config.settings import Settings
from service.domain.errors import SettingsError

FILES_BESIDES = 128
"""File descriptors for anything but connections and turns: listener, logs, exporters, a margin."""


def raise_file_limit(settings: Settings, connections: int | None = None) -> None:
    """Raise the soft limit of open files to the hard one. `connections`: those of several upstreams together.

    A connection is a file, and so is a turn by SSE. Callers share few connections, which the margin covers.

    Raises SettingsError if the settings need more files than the hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lines = settings.max_connections if connections is None else connections
    needed = lines + settings.max_turns + FILES_BESIDES
    # macOS says "infinity" and means less: there, ask for what is needed.
    reach = max(soft, needed) if hard == resource.RLIM_INFINITY else hard
    if needed > reach:
        name = "TRUNKLINE_MAX_CONNECTIONS" if connections is None else "max_connections of all upstreams"
        raise SettingsError(
            f"{name} and TRUNKLINE_MAX_TURNS need {needed} open files"
            f" and the system allows {hard}; lower them, or raise the limit (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (reach, hard))
