"""How a command that runs until it is stopped hears of it: by SIGTERM or Ctrl-C. A second signal ends it at once."""

import os
import select
import signal
import sys
from types import FrameType


class StopRequest:
    """Notes the first signal, and lets the command finish what it is doing."""

    def __init__(self) -> None:
        self.is_made = False
        self._reading, self._writing = os.pipe()  # wakes `wait`: a signal alone would not interrupt it

    def listen(self) -> None:
        """Handle the signals from now on. Spark takes Ctrl-C for itself when it starts, so call this again then."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def wait(self, seconds: float) -> None:
        """Sleep, until the time is over or a signal comes."""
        select.select([self._reading], [], [], seconds)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.is_made:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.is_made = True
        os.write(self._writing, b"!")
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"stopping\n")
