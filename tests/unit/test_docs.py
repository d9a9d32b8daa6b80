"""The docs say what is true: tables are compared with what they are made from."""

import re
from pathlib import Path

import pytest

from service.config.settings import ROWS
from service.domain.errors import Reason
from service.domain.failure_policy import POLICIES
from service.domain.limits import TABLE
from service.domain.plan import ContextReason
from service.domain.report import TransportReason, UpstreamReason

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs/protocol.md").read_text()


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PROTOCOL, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize(
    ("title", "reasons"),
    [
        ("What is sent of a conversation", {reason.value for reason in ContextReason}),
        (
            "Over what",
            {reason.value for reason in TransportReason},
        ),
        ("Where to", {reason.value for reason in UpstreamReason}),
    ],
)
def test_every_reason_of_a_report_is_explained(title, reasons):
    cells = "".join(line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `"))
    explained = set(re.findall(r"`(\w+)`", cells)) - {"context_reason", "transport_reason", "upstream_reason"}
    assert explained == reasons


ERRORS = (ROOT / "docs/errors.md").read_text()


def test_every_public_reason_is_explained_with_its_advice():
    public = [reason.value for reason in Reason if POLICIES[reason].public is None]
    table = ERRORS.partition("## What a caller gets")[2].partition("\n## ")[0]
    assert re.findall(r"^\| ([A-Z_]+) \|", table, re.MULTILINE) == public


@pytest.mark.parametrize("page", ["index", "protocol", "operations"])
def test_the_pages_for_callers_and_operators_link_to_the_errors(page):
    assert "(errors.md)" in (ROOT / f"docs/{page}.md").read_text()


def test_the_table_of_limits_is_that_of_the_code():
    rows = re.findall(r"^\| (.+) \| (\d+) \| (.+) \|$", section("Limits"), re.MULTILINE)
    assert rows == [(field, str(bound), unit) for field, bound, unit in TABLE]


OPERATIONS = (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("name", [name for name in ROWS if re.search(r"_S$|MAX_|QUEUE|SPARES", name)])
def test_every_wait_and_limit_says_what_happens_at_it(name):
    default = {
        "15728640": "15 MiB",
        "33554432": "32 MiB",
        "100663296": "96 MiB",
        "67108864": "64 MiB",
        "8388608": "8 MiB",
    }.get(text := ROWS[name].metadata["default"], text)
    parts = re.findall(
        rf"^\|[^|]*`{name.removeprefix('TRUNKLINE_')}`[^|]*\|([^|]*)\|", OPERATIONS, re.MULTILINE
    )
    assert parts, "it has no row"
    assert re.search(rf"\b{re.escape(default)}\b", parts[0])


def test_links_between_the_docs_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


RECORDS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_and_its_exit_condition(path):
    record = path.read_text()
    assert record.startswith(f"# {path.name[:4]}. ")
    assert re.search(r"^\d{4}-\d\d-\d\d · (accepted|superseded by \[\d{4}\]\(.+\))$", record, re.MULTILINE)
    found = re.findall(r"^\*\*(\w+)\.\*\* \S", record, re.MULTILINE)
    assert found == ["Context", "Decision", "Measured", "Alternatives", "Exit"]


def test_the_index_of_decisions_is_complete():
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) ", index, re.MULTILINE) == [
        (path.name[:4], path.name) for path in RECORDS
    ]


def test_each_threat_names_tests_that_exist():
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")]
    threats = [row.split(" | ") for row in rows if row.count(" | ") == 2][1:]
    assert len(threats) > 20
    for threat, _, held_by in threats:
        paths = re.findall(r"`(tests/[^`]+)`", held_by)
        assert paths, threat
        assert [path for path in paths if not (ROOT / path).exists()] == []
