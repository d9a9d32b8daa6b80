"""Run the demo: `python -m tools.demo`."""

import sys

from tools.demo.conversation import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
