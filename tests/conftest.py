"""The tests speak to loopback only: a proxy of the machine that runs them has no part in it."""

import os

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]
