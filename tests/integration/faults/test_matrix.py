"""Every cell of the fault matrix: what the caller hears, what the upstream saw, and a tidy replica."""

import pytest
import pytest_asyncio

from service.wire import error_classifier
from tests.integration.faults.cells import SETTINGS, run
from tests.integration.faults.matrix import CELLS, HALF, MOMENTS, ROWS
from tests.stack import stack, text_of

together = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared():
    async with stack(SETTINGS) as replica:
        yield replica


@together
@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_fault_that_stays(shared, cell):
    found = await run(shared, cell, cell.scripts())
    assert found.info.reason == cell.row.reason
    assert found.error.retryable == cell.row.retryable
    assert found.retry_after == cell.row.retry_after
    assert found.routes.split() == cell.routes
    assert ("start" in found.kinds) == (cell.moment != "before")
    assert text_of(found.events) == (HALF if cell.moment == "content" else "")
    assert [part.text.text for part in found.error.partial.parts] == [HALF] * (cell.moment == "content")


@together
@pytest.mark.parametrize("cell", [cell for cell in CELLS if len(cell.routes) > 1], ids=str)
async def test_a_fault_that_passes(shared, cell):
    """Before content the caller need not know: one start, one answer, and the report says what it took."""
    found = await run(shared, cell, list(cell.scripts())[:1])
    assert found.routes.split() == cell.routes[:2]
    assert found.done.message.parts[0].text.text == text_of(found.events) != ""


def test_every_cell_has_a_name_of_its_own():
    assert len({str(cell) for cell in CELLS}) == len(CELLS)


def test_everything_that_is_classified_has_a_row():
    named = {row.name for row in ROWS}
    # That the connection will end soon says nothing of the response.
    assert named >= error_classifier.CODES.keys() - {"connection_expiring"}
    assert named >= {f"status-{status}" for status in error_classifier.STATUSES}
    assert named >= {f"close-{code}" for code in error_classifier.CLOSES}


def test_every_row_stands_for_its_cells():
    assert all(any(row.routes.values()) for row in ROWS)
    assert {cell.moment for cell in CELLS} == MOMENTS.keys()
