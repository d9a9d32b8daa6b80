import subprocess
import sys
from pathlib import Path

from service.config.table import table


def test_the_table_of_the_docs_is_the_table():
    page = (Path(__file__).parents[3] / "docs/settings.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("|")] == list(table())


def test_the_module_prints_its_table():
    done = subprocess.run([sys.executable, "-m", "service.config.table"], capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == list(table())
