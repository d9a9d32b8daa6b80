"""The client's errors as LangChain's own, too: its retries and its middleware know what each one means."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from langchain_core import exceptions as theirs

from trunkline import errors as ours
from trunkline.http_status import pays_once

CLASSES: Mapping[type[ours.TrunklineError], type[theirs.ModelError]] = {
    ours.TrunklineError: theirs.ModelError,
    ours.InvalidRequestError: theirs.ModelInvalidRequestError,
    ours.ContextLengthError: theirs.ContextOverflowError,
    ours.AuthenticationError: theirs.ModelAuthenticationError,
    ours.PermissionDeniedError: theirs.ModelPermissionDeniedError,
    ours.NotFoundError: theirs.ModelNotFoundError,
    ours.RateLimitError: theirs.ModelRateLimitError,
    ours.QuotaError: theirs.ModelRateLimitError,
    ours.OverloadedError: theirs.ModelRateLimitError,
    ours.ConnectionFailedError: theirs.ModelConnectionError,
    ours.TimedOutError: theirs.ModelTimeoutError,
    ours.UpstreamError: theirs.ModelAPIError,
    ours.InternalError: theirs.ModelAPIError,
    ours.AnswerError: theirs.ModelError,
    ours.OutputError: theirs.ModelError,
    ours.RefusalError: theirs.ModelRefusalError,
    ours.TakenOverError: theirs.ModelError,
    ours.TurnCancelledError: theirs.ModelError,
}


def _is_retryable(error: ours.TrunklineError) -> bool:
    """Whether another try may help and pays once: LangChain makes it without asking."""
    return error.retryable and pays_once(error)


JOINED = {
    one: type(one.__name__, (one, another), {"is_retryable": property(_is_retryable)})
    for one, another in CLASSES.items()
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise a TrunklineError as one that is a ModelError, too."""
    try:
        yield
    except ours.TrunklineError as error:
        kind = JOINED[type(error)]
        joined = kind.__new__(kind, *error.args)
        joined.__dict__.update(error.__dict__)
        raise joined from error.__cause__
