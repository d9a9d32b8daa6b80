import io

from trunkline import Session
from trunkline.cli.terminal import Terminal


class Tty(io.StringIO):
    def isatty(self):
        return True


class Recorded(Terminal):
    """A terminal whose two streams are one, as on a screen."""

    def __init__(self, stream=None):
        self.stream = stream or io.StringIO()
        super().__init__(self.stream, self.stream)

    @property
    def text(self):
        return self.stream.getvalue()


def session(session_id="s", *, live=True, state="idle", turns=0, incremental=0, saved=0, running=()):
    return Session(session_id, live, state, turns, incremental, saved, None, None, running)
