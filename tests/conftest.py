"""What all tests share: no proxy of the machine, Ctrl-C as usual, no verdict by Hypothesis on speed."""

import os
import signal

from hypothesis import HealthCheck, settings

# The tests speak to loopback only.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

# A shell's background job ignores Ctrl-C, and its children inherit that: those of the tests would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
