"""Decide which upstreams may serve a turn, in which order, and what each is asked for: `Routes`.

An example of two upstreams and one rule:

    openai   serves gpt-5* and o4-mini
    azure    serves gpt-5, which is asked for as my-deployment
    rule     gpt-5* of the tenant eu goes to azure only

    tenant search, model gpt-5       openai (gpt-5), azure (my-deployment)
    tenant search, model gpt-5-mini  openai (gpt-5-mini)
    tenant eu, model gpt-5           azure (my-deployment)
    tenant eu, model o4-mini         openai (o4-mini): no rule is about it
    tenant eu, model gpt-5-mini      nobody: its rule names upstreams that do not serve it

Models and tenants are named by globs, as of files: * stands for any characters, ? for one, [ab] for one of
these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

ALL = ("*",)


@dataclass(frozen=True, slots=True)
class Served:
    """What the upstream of this name serves.

    `models`: globs. `renamed`: pairs of a glob, without brackets, for what callers name and of what the
    upstream is asked for; where both have one *, what it stands for is kept. The first pair that fits counts.
    """

    upstream: str
    models: tuple[str, ...] = ALL
    renamed: tuple[tuple[str, str], ...] = ()

    def asked(self, model: str) -> str | None:
        """Return what the upstream is asked for. Returns None for a model that it does not serve.

        No model, as in a warm-up without one, is served by each.
        """
        for named, asked in self.renamed if model else ():
            if fnmatchcase(model, named):
                if named.count("*") != 1 or asked.count("*") != 1:
                    return asked
                before, after = named.split("*")
                return asked.replace("*", model[len(before) : len(model) - len(after)])
        served = not model or any(fnmatchcase(model, one) for one in self.models)
        return model if served else None


@dataclass(frozen=True, slots=True)
class Rule:
    """Turns of these tenants with these models go to these upstreams, in this order, and to no other."""

    upstreams: tuple[str, ...]
    models: tuple[str, ...] = ALL
    tenants: tuple[str, ...] = ALL

    def fits(self, tenant: str, model: str) -> bool:
        """Return whether the rule is about such turns; about all models is about turns without one, too."""
        by_tenant = any(fnmatchcase(tenant, one) for one in self.tenants)
        return by_tenant and any(fnmatchcase(model, one) for one in self.models)


@dataclass(frozen=True, slots=True)
class Stop:
    """An upstream on the way of a turn, and the model that it is asked for."""

    upstream: str
    model: str


class Routes:
    """Order the upstreams: by the first rule that fits, and where none does, as they stand in `served`."""

    __slots__ = ("_names", "_rules", "_served")

    def __init__(self, served: Sequence[Served], rules: Sequence[Rule] = ()) -> None:
        self._served = {one.upstream: one for one in served}
        self._names = tuple(self._served)
        self._rules = tuple(rules)

    def __repr__(self) -> str:
        return f"Routes({', '.join(self._names)}; {len(self._rules)} rules)"

    def order(self, tenant: str, model: str) -> tuple[Stop, ...]:
        """Return where a turn of the tenant may go, first choice first. Empty: nobody serves the model."""
        names = next((rule.upstreams for rule in self._rules if rule.fits(tenant, model)), self._names)
        asked = ((name, self._served[name].asked(model)) for name in names)
        return tuple(Stop(name, model) for name, model in asked if model is not None)
