"""Format numbers, reports and errors for people."""

from collections.abc import Iterator

from trunkline.cli.arguments import ADDRESS, TOKEN
from trunkline.errors import TrunklineError
from trunkline.events import Done
from trunkline.sessions import RunningTurn


def size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def rate(part: int, whole: int) -> str:
    return f"{100 * part // whole} %" if whole else "-"


def report_line(done: Done) -> str:
    """How a turn ran, in one line."""
    report, usage = done.report, done.usage
    line = "warm" if report.connection_reused else "cold"
    sent = f"{size(report.bytes_sent)} sent" + (
        f", {size(report.bytes_saved)} saved" if report.bytes_saved else ""
    )
    words = [
        f"{report.transport} ({report.transport_reason}, {line})",
        f"{report.context} ({report.context_reason})",
        sent,
        f"{span(report.timings.first_content)} to the first word, {span(report.timings.total)} in all",
        f"{usage.input_tokens} + {usage.output_tokens} tokens",
    ]
    if report.attempts > 1:
        words.append(f"{report.attempts} attempts")
    if report.attached:
        words.append("resumed")
    return " · ".join(words)


def turn_line(turn: RunningTurn) -> str:
    """A turn of a session, in one line."""
    reader = "read" if turn.attached else "nobody reads it"
    words = [
        turn.turn_id or "waits for a place",
        f"ended, {reader}" if turn.ended else reader,
        f"event {turn.last_sequence}",
    ]
    if turn.started_at is not None:
        words.insert(1, f"since {turn.started_at.astimezone():%H:%M:%S}")
    if turn.turn_key:
        words.append(f"key {turn.turn_key}")
    return " · ".join(words)


def error_lines(error: TrunklineError, address: str) -> Iterator[str]:
    """What happened, and what to do."""
    yield str(error)
    for violation in error.violations:
        text = f"{violation.field}: {violation.description}"
        if text not in error.message:  # where it is the only one, it often is the message
            yield f"  {text}"
    if error.reason == "UNAVAILABLE":
        yield f"  Nobody answers at {address}, or the connection broke. Does the service run there?"
        yield f"  (--address, or {ADDRESS} in the environment)"
        return
    if error.reason == "UNAUTHENTICATED":
        yield f"  Say who you are: {TOKEN} in the environment, or --token."
        return
    yield f"  {_again(error)}"


def _again(error: TrunklineError) -> str:
    if not error.retryable:
        return "Not retryable: the same request would fail again."
    when = "" if error.retry_after is None else f" after {span(error.retry_after)}"
    cost = {
        True: "; it reached the model, so another try may cost again",
        False: "; it did not reach the model",
        None: "; whether it reached the model is not known",
    }
    return f"Retryable{when}{cost[error.sent]}."
