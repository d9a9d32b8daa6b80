"""`python -m service`: reads the settings, says what is wrong with them, serves.

Owns the exit code: 2 for settings that make no sense. Must never start anything itself.
"""

from __future__ import annotations

import os
import sys

from service.app import run
from service.config import SettingsError, load, raise_file_limit
from service.proxies import spare_loopback


def main() -> int:
    try:
        settings = load(os.environ)
        raise_file_limit(settings)
        spare_loopback(os.environ)
        return run(settings)
    except SettingsError as error:
        sys.stderr.writelines(f"trunkline: {problem}\n" for problem in error.problems)
        return 2


if __name__ == "__main__":
    sys.exit(main())
