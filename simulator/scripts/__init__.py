"""Scripts: the steps they are made of, and the answers that have a name.

Everything a test needs to say what the model shall do is here under one roof; how it is done is nobody's
business here.
"""

from simulator.scripts.catalog import BUILDERS, build, choose, default, named, report
from simulator.scripts.directive import Directive
from simulator.scripts.faults import (
    BAD_FRAME,
    BAD_UTF8,
    BINARY,
    NO_TYPE,
    NOT_AN_OBJECT,
    NOT_JSON,
    Close,
    Drop,
    End,
    Fault,
    Garbage,
    Hang,
    Page,
)
from simulator.scripts.steps import (
    Call,
    Complete,
    Dialect,
    Emit,
    Fail,
    Framing,
    Gate,
    Incomplete,
    Pace,
    Reason,
    Refuse,
    Say,
    Script,
    Start,
    Step,
    Wait,
)
from simulator.scripts.trouble import until
from simulator.scripts.turn import Turn

__all__ = [
    "BAD_FRAME",
    "BAD_UTF8",
    "BINARY",
    "BUILDERS",
    "NOT_AN_OBJECT",
    "NOT_JSON",
    "NO_TYPE",
    "Call",
    "Close",
    "Complete",
    "Dialect",
    "Directive",
    "Drop",
    "Emit",
    "End",
    "Fail",
    "Fault",
    "Framing",
    "Garbage",
    "Gate",
    "Hang",
    "Incomplete",
    "Pace",
    "Page",
    "Reason",
    "Refuse",
    "Say",
    "Script",
    "Start",
    "Step",
    "Turn",
    "Wait",
    "build",
    "choose",
    "default",
    "named",
    "report",
    "until",
]
