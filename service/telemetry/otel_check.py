"""Check the OpenTelemetry environment variables (`OTEL_*`) before the SDK reads them.

The SDK handles an invalid value in one of four ways: a traceback at import, a traceback in a constructor, a
silent default, or a thread that spins. `check` turns each into one line that names the variable. An empty
variable counts as not set, as the specification says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from service import reload
from service.domain.errors import SettingsError
from service.telemetry import otel_env

OTLP = "OTEL_EXPORTER_OTLP_"
SIGNALS = ("", "TRACES_", "METRICS_")
SAMPLERS = frozenset(
    {
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    }
)
PLUGINS = {
    "OTEL_PROPAGATORS": "opentelemetry_propagator",
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "opentelemetry_resource_detector",
}
"""Variables that name plugins, and the entry point group of each."""

MAX_NUMBER = 2**31 - 1
DEFAULT_QUEUE, DEFAULT_BATCH = 2048, 512


def check(environ: MutableMapping[str, str]) -> None:
    """Remove empty variables from `environ`. Raises SettingsError that names every invalid one."""
    for name in [name for name in environ if name.startswith("OTEL_") and not environ[name].strip()]:
        del environ[name]
    problems = [*_plugins(environ), *_others(environ)]
    if problems:
        raise SettingsError(*problems)


def _others(environ: Mapping[str, str]) -> Iterator[str]:
    try:
        if otel_env.read(environ).disabled:
            return
    except otel_env.SwitchError as error:
        yield str(error)
    wrong = False
    for name, rule in _rules().items():
        if name in environ and (problem := rule(environ[name].strip())):
            wrong = True
            yield f"{name} {problem}"
    if not wrong:
        yield from _batch(environ)


def _rules() -> dict[str, Callable[[str], str]]:
    """Return a check for each variable: it returns the problem with a text, or an empty string."""
    rules: dict[str, Callable[[str], str]] = {
        "OTEL_BSP_MAX_QUEUE_SIZE": _count,
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _count,
        "OTEL_BSP_SCHEDULE_DELAY": _count,
        "OTEL_BSP_EXPORT_TIMEOUT": _count,
        "OTEL_METRIC_EXPORT_INTERVAL": _positive,
        "OTEL_METRIC_EXPORT_TIMEOUT": _positive,
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _limit,
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _limit,
        "OTEL_ATTRIBUTE_COUNT_LIMIT": _limit,
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _limit,
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _limit,
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _limit,
        "OTEL_SPAN_EVENT_COUNT_LIMIT": _limit,
        "OTEL_SPAN_LINK_COUNT_LIMIT": _limit,
        "OTEL_TRACES_SAMPLER": _sampler,
        "OTEL_TRACES_SAMPLER_ARG": _ratio,
        "OTEL_RESOURCE_ATTRIBUTES": _pairs,
        "OTEL_METRICS_EXEMPLAR_FILTER": _one_of("always_on", "always_off", "trace_based"),
    }
    for signal in SIGNALS:
        rules |= {
            f"{OTLP}{signal}ENDPOINT": _endpoint,
            f"{OTLP}{signal}TIMEOUT": _positive,
            f"{OTLP}{signal}COMPRESSION": _one_of("none", "gzip", "deflate"),
            f"{OTLP}{signal}CERTIFICATE": _file,
            f"{OTLP}{signal}CLIENT_CERTIFICATE": _file,
            f"{OTLP}{signal}CLIENT_KEY": _file,
        }
    return rules


def _count(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,10}", text) and 1 <= int(text) <= MAX_NUMBER:
        return ""
    return f"must be a whole number from 1 to {MAX_NUMBER}"


def _limit(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= MAX_NUMBER:
        return ""
    return "must be a whole number, 0 or more"


def _positive(text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    return "" if 0 < value <= MAX_NUMBER else "must be a number above 0"


def _ratio(text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    return "" if 0 <= value <= 1 else "must be a number from 0 to 1"


def _sampler(text: str) -> str:
    if text.lower() in SAMPLERS or entry_points(group="opentelemetry_traces_sampler", name=text):
        return ""
    return f"must be one of {', '.join(sorted(SAMPLERS))}"


def _pairs(text: str) -> str:
    sound = all("=" in pair for pair in text.split(",") if pair.strip())
    return "" if sound else "must be key=value, one after the other with commas between"


def _one_of(*values: str) -> Callable[[str], str]:
    return lambda text: "" if text.lower() in values else f"must be one of {', '.join(values)}"


def _endpoint(text: str) -> str:
    """Check a URL; with gRPC it may be host and port. The error omits it, since it may hold a password."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        sound = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        sound = False
    if sound and re.fullmatch(r"[!-~]+", text):
        return ""
    return "must be an http or https URL, like http://collector:4318"


def _file(text: str) -> str:
    try:
        reload.read(text, reload.MAX_PEM_BYTES)
    except (OSError, ValueError) as error:
        return f"names a file that cannot be read: {error}"
    return ""


def _plugins(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a problem for each variable that names a plugin that is not installed."""
    for variable, group in PLUGINS.items():
        known = sorted({point.name for point in entry_points(group=group)} | {"none"})
        named = [name.strip() for name in environ.get(variable, "none").split(",")]
        if not all(name in known or name.lower() == "none" for name in named):
            yield f"{variable} must be of what is installed: {', '.join(known)}"


def _batch(environ: Mapping[str, str]) -> Iterator[str]:
    queue = int(environ.get("OTEL_BSP_MAX_QUEUE_SIZE", DEFAULT_QUEUE))
    batch = int(environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", DEFAULT_BATCH))
    if batch > queue:
        yield (
            f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE ({batch}) must be at most OTEL_BSP_MAX_QUEUE_SIZE ({queue});"
            " set both"
        )
