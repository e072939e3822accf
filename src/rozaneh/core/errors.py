"""The two leaves of failure: a local fault is ours to mend, a remote fault is what their bytes did."""

from rozaneh.core.failure import Failure


class RozanehError(Exception):
    """Root of everything this project raises on purpose; its text is one line that a person can act on."""


class LocalFault(RozanehError):
    """Something on this side is wrong: configuration, a file, a permission, a misuse."""


class DamagedFile(LocalFault):
    """A file that Rozaneh wrote is not what it was: cut off, or another one in its place."""


class RemoteFault(RozanehError):
    """The other side sent bytes that break the protocol they claim to speak."""


class DialFailed(RozanehError):
    """A dial ended without a usable stream.

    This is the only exception that leaves a dialer; :func:`rozaneh.net.measure` turns it into a value.

    Attributes:
        failure: the class of the failure, as recorded in the observation of the step that failed.
        detail: free text for a person; it may hold addresses and therefore never leaves the device.
    """

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(f"{failure}: {detail}" if detail else str(failure))
        self.failure = failure
        self.detail = detail
