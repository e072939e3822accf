"""When the finder asks a question of its own: seldom, within its budget, and nothing that its user has not met."""

import datetime as dt
from typing import Any

import pytest

from rozaneh.finder import Finder, Memory
from rozaneh.finder.liveness import left_unsaid, was_turned_away
from rozaneh.finder.routes import Routes, parse_route
from rozaneh.net.clock import RunningClock
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.splice import Flow
from tests.finder.world import UPSTREAM, target

pytestmark = pytest.mark.anyio
REFUSES = "service_refusal"


def made(offset: float = 3.5, **settings: Any) -> Finder:
    start = dt.datetime(2026, 1, 10, 12, tzinfo=dt.timezone(dt.timedelta(hours=offset)))
    settings.setdefault("ways", [UPSTREAM])
    clock = RunningClock(start=start, made=0.0)
    return Finder(MemoryNetwork(), memory=Memory(), clock=clock, salt=b"s" * 16, **settings)


async def test_whether_a_service_refuses_is_asked_once_and_only_where_the_answer_is_of_use() -> None:
    finder = made()
    assert finder.may_inquire(target(), REFUSES)
    assert not finder.may_inquire(target(), REFUSES), "once is enough"
    assert finder.may_inquire(target("other.example"), REFUSES)
    assert not made(1.0).may_inquire(target(), REFUSES), "services refuse nobody there"
    assert not made(ways=[]).may_inquire(target(), REFUSES), "there is no other way out"
    ruled = made(routes=Routes([parse_route("blocked.example=direct")]))
    assert not ruled.may_inquire(target(), REFUSES), "its user has said"
    assert not made().may_inquire(target(port=80), "stall"), "nothing is asked in the clear"


async def test_questions_end_with_the_budget() -> None:
    finder = made()
    asked = sum(finder.may_inquire(target(f"h{index}.example"), "stall") for index in range(100))
    assert 5 < asked < 9, "twelve kilobytes are set aside for each, of ninety at once"
    for _ in range(asked):
        finder.inquired([])
    assert finder.may_inquire(target("h50.example"), "stall"), "what was not spent is given back"


def test_what_makes_a_client_ask_again() -> None:
    assert was_turned_away(Flow(up=400, down=3000))
    assert was_turned_away(Flow(up=400, down=3000, broken_by="near"))
    assert not was_turned_away(Flow(up=400, down=20_000))
    assert not was_turned_away(Flow(up=400, down=3000, broken_by="far"))
    assert left_unsaid(Flow(down=2000, began=10.0), 10.2)
    assert not left_unsaid(Flow(down=2000, began=10.0), 15.0)
    assert not left_unsaid(Flow(up=300, down=2000, began=10.0), 10.2)
