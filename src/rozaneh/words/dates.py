"""Days and hours as people write them: two calendars, the digits of the language, the place's own clock."""

import datetime as dt
from dataclasses import dataclass

import jdatetime

from rozaneh.words.sentences import Said, Words, mark

_JALALI = (
    mark("Farvardin"), mark("Ordibehesht"), mark("Khordad"), mark("Tir"), mark("Mordad"), mark("Shahrivar"),
    mark("Mehr"), mark("Aban"), mark("Azar"), mark("Dey"), mark("Bahman"), mark("Esfand"),
)  # fmt: skip
_GREGORIAN = (
    mark("January"), mark("February"), mark("March"), mark("April"), mark("May"), mark("June"),
    mark("July"), mark("August"), mark("September"), mark("October"), mark("November"), mark("December"),
)  # fmt: skip
_WEEKDAYS = (
    mark("Monday"), mark("Tuesday"), mark("Wednesday"), mark("Thursday"), mark("Friday"), mark("Saturday"),
    mark("Sunday"),
)  # fmt: skip

_DATE = mark("{weekday} {day} {month} {year}")
_BOTH = mark("{first} ({second})")


@dataclass(frozen=True)
class Dates:
    """Dates in one language: in Persian the Jalali calendar comes first, in English the Gregorian.

    Attributes:
        words: the language.
        zone: the clock that hours are told by.
    """

    words: Words
    zone: dt.tzinfo

    def day(self, day: dt.date) -> Said:
        """The day with its weekday, in the calendar of the language."""
        return self._jalali(day) if self.words.right_to_left else self._gregorian(day)

    def both(self, day: dt.date) -> Said:
        """The day in both calendars, the language's own first."""
        pair = (self._gregorian(day), self._jalali(day))
        first, second = reversed(pair) if self.words.right_to_left else pair
        return self.words.say(_BOTH, first=first, second=second)

    def moment(self, moment: dt.datetime) -> Said:
        """Day in both calendars and time of the local clock."""
        local = moment.astimezone(self.zone)
        return self.words.say("{date}, {time}", date=self.both(local.date()), time=self.clock(local.time()))

    def clock(self, time: dt.time) -> Said:
        """A time of day."""
        return self.words.say("{hour:02d}:{minute:02d}", hour=time.hour, minute=time.minute)

    def hour(self, hour: int) -> Said:
        """A full hour, 0 to 24."""
        return self.words.say("{hour:02d}:00", hour=hour)

    def short(self, day: dt.date) -> Said:
        """Day and month, for the axis of a chart."""
        if self.words.right_to_left:
            then = jdatetime.date.fromgregorian(date=day)
            return self.words.say("{day} {month}", day=then.day, month=self.words.say(_JALALI[then.month - 1]))
        return self.words.say("{day} {month}", day=day.day, month=self.words.say(_GREGORIAN[day.month - 1]))

    def _jalali(self, day: dt.date) -> Said:
        then = jdatetime.date.fromgregorian(date=day)
        return self._written(day, then.day, _JALALI[then.month - 1], then.year)

    def _gregorian(self, day: dt.date) -> Said:
        return self._written(day, day.day, _GREGORIAN[day.month - 1], day.year)

    def _written(self, day: dt.date, number: int, month: str, year: int) -> Said:
        say = self.words.say
        # A year is a number of the prose, without a separator of thousands in any language.
        return say(_DATE, weekday=say(_WEEKDAYS[day.weekday()]), day=number, month=say(month), year=year)
