"""What all tests share: no proxy of the machine, Ctrl-C as usual, no verdict by Hypothesis on speed."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# The tests speak to loopback only.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

# A shell's background job ignores Ctrl-C, and its children inherit that: those of the tests would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return two test processes for each core, up to eight; beyond that, one for each core.

    The tests of tests/integration wait for processes and timers two thirds of their time.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores, min(2 * cores, 8))


def pytest_collection_finish() -> None:
    """Keep ten thousand collected tests out of each later garbage collection.

    With them one takes 0.4 s of CPU, on a busy machine three seconds in which no test goes on: longer than
    the waits that some of them set. So no test may call `gc.unfreeze`.
    """
    gc.collect()
    gc.freeze()
