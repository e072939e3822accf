"""Series from elsewhere: hourly and finer signals such as IODA's, Tor's users, shares of traffic, volumes.

A file is CSV or JSON with a column of times and one or more of numbers. :func:`read_signals` reads it, guesses what was
not named, and says what it guessed; a bad row is set aside with its line and loses nothing else.
"""

from rozaneh.observatory.signals.choose import read_signals
from rozaneh.observatory.signals.signal import Reading, Rejected, Signal

__all__ = ["Reading", "Rejected", "Signal", "read_signals"]
