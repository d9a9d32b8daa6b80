"""`python -m service`: reads the settings, reports what is wrong with them, serves.

The exit code is 2 for settings that are wrong, 1 for an error that nobody foresaw, and 0 after a drain.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback

# grpc core writes to standard error what a peer sent, too: the debug text of a GOAWAY frame, line ends
# included, would be lines of the caller's own in our log. It reads this variable when it is loaded. An
# operator who sets it to INFO or DEBUG gets such lines.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from service.config.proxies import spare_loopback
from service.config.settings import SettingsError, load, raise_file_limit
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
        # Only now: it takes a second, and OpenTelemetry reads its variables while it is imported.
        from service.app import run  # noqa: PLC0415

        return run(settings)
    except SettingsError as error:
        _say(*error.problems)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  one line in place of a traceback
        _say(_told(error))
        if os.environ.get("TRUNKLINE_LOG_LEVEL") == "debug":
            _say(*"".join(traceback.format_tb(error.__traceback__)).splitlines())
        return 1
    finally:
        _ignore_signals()  # the loop gave them back
        _close_log()


def _told(error: Exception) -> str:
    """Its kind and its place; of the system's errors the text, too. Any other may hold a secret."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f": {error}" if isinstance(error, OSError) else ""
    kind = type(error).__name__
    return f"{kind} in {place.filename}:{place.lineno}{text} (TRUNKLINE_LOG_LEVEL=debug shows the way there)"


def _say(*problems: str) -> None:
    """Past `sys.stderr`, which the interpreter would flush at the end, and fail on a full disk."""
    text = "".join(f"trunkline: {problem}\n" for problem in problems)
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _open_standard_files() -> None:
    """Where one of the three was closed at the start, a socket would take its number, and get the log."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def _ignore_signals() -> None:
    """Those that would end the process without a drain. `serve` takes SIGHUP; the others mean nothing."""
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _close_log() -> None:
    logs = sys.modules.get("service.telemetry.logs")
    if logs is not None:
        logs.close()


if __name__ == "__main__":
    sys.exit(main())
