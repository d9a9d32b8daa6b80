"""What all tests share: no proxy of the machine, and no verdict by Hypothesis on how fast it is."""

import os

from hypothesis import HealthCheck, settings

# The tests speak to loopback only.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
