"""Run the service: `python -m service` reads the settings, reports what is wrong with them, serves.

The exit code is 2 for invalid settings, 1 for an unexpected error, and 0 after a drain.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback

# grpc core writes what a peer sent to standard error: the debug text of a GOAWAY frame, line ends included,
# would let a caller forge lines of the log. It reads this variable when it is loaded. An operator who sets it
# to INFO or DEBUG gets such lines.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from service.config.file_limit import raise_file_limit
from service.config.proxies import spare_loopback
from service.config.settings import load
from service.domain.errors import SettingsError
from service.telemetry import otel_check

INTERRUPTED = 128 + signal.SIGINT


def main() -> int:
    _open_standard_files()
    _ignore_signals()
    try:
        settings = load(os.environ)
        otel_check.check(os.environ)
        raise_file_limit(settings)
        spare_loopback(os.environ)
        # Only now: the import takes a second, and OpenTelemetry reads its variables during it.
        from service.app import run  # noqa: PLC0415

        return run(settings)
    except SettingsError as error:
        _report(*error.problems)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  one line in place of a traceback
        _report(_described(error))
        if os.environ.get("TRUNKLINE_LOG_LEVEL") == "debug":
            _report(*"".join(traceback.format_tb(error.__traceback__)).splitlines())
        return 1
    finally:
        _ignore_signals()  # the event loop has restored their default actions
        _close_log()


def _described(error: Exception) -> str:
    """Return the type and place of the error, and the text of a system error: any other may hold a secret."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f": {error}" if isinstance(error, OSError) else ""
    kind = type(error).__name__
    return f"{kind} in {place.filename}:{place.lineno}{text} (TRUNKLINE_LOG_LEVEL=debug shows the way there)"


def _report(*problems: str) -> None:
    """Write to standard error, not through `sys.stderr`: its flush at exit would fail on a full disk."""
    text = "".join(f"trunkline: {problem}\n" for problem in problems)
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _open_standard_files() -> None:
    """Open what was closed at the start of the three: a socket would take its number, and receive the log."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def _ignore_signals() -> None:
    """Ignore signals that would end the process without a drain. `serve` handles SIGHUP."""
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _close_log() -> None:
    logs = sys.modules.get("service.telemetry.logs")
    if logs is not None:
        logs.close()


if __name__ == "__main__":
    sys.exit(main())
