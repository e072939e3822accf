"""On which network, and at which hour, something was seen."""

import msgspec


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when a dial happens.

    Attributes:
        network: a locally salted digest that tells networks apart; never an address, an SSID or a provider's name.
        hour: hour of the day in local time, 0 to 23, because curfews follow the local clock.
        weekday: 0 (Monday) to 6.
        clock_offset: seconds to add to this machine's clock to get the true time; 0 when unknown.
    """

    network: str
    hour: int
    weekday: int = 0
    clock_offset: float = 0.0
