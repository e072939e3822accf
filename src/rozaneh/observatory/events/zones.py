"""The time zone that a country's hours are told in, with its history."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZONES = {"IR": "Asia/Tehran", "IQ": "Asia/Baghdad", "SY": "Asia/Damascus", "TR": "Europe/Istanbul",
         "AF": "Asia/Kabul", "PK": "Asia/Karachi", "TM": "Asia/Ashgabat", "IN": "Asia/Kolkata", "MM": "Asia/Yangon",
         "BD": "Asia/Dhaka", "ET": "Africa/Addis_Ababa", "SD": "Africa/Khartoum", "UG": "Africa/Kampala",
         "VE": "America/Caracas", "CU": "America/Havana", "BY": "Europe/Minsk", "EG": "Africa/Cairo"}  # fmt: skip
"""Countries with one zone where hours matter. Iran's last summer time ended in the night of 21 September 2022."""


def zone_of_country(country: str) -> tuple[tzinfo, str]:
    """A country's zone and its name; UTC where none is known, which is said wherever hours are shown."""
    name = ZONES.get(country)
    if name is None:
        return UTC, "UTC"
    try:
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, "UTC"
