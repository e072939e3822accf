import gzip
import zlib

import pytest

from rozaneh.ooni import BadLine, Line, Lines


def read(data: bytes, step: int = 1 << 16, longest: int = 1 << 20, largest: int = 1 << 30) -> list[Line | BadLine]:
    lines = Lines(longest=longest, largest=largest)
    found = []
    for start in range(0, len(data), step):
        found += list(lines.feed(data[start : start + step]))
    return found + list(lines.end())


PLAIN = b"one\n\ntwo\r\nthree"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "packed",
    [
        PLAIN,
        gzip.compress(PLAIN, mtime=0),
        gzip.compress(b"one\n\ntwo", mtime=0) + gzip.compress(b"\r\nthree", mtime=0),
        gzip.compress(PLAIN, mtime=0) + b"\0" * 40,
    ],
    ids=["plain", "one member", "two members", "padded"],
)
def test_lines_are_the_same_however_they_come(packed: bytes, step: int) -> None:
    assert read(packed, step) == [Line(1, b"one"), Line(3, b"two\r", 5), Line(4, b"three", 10)]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_empty_lines_are_counted_and_cost_nothing(step: int) -> None:
    assert read(b"\n\r\n  \none\n\n\t\n \n two\n\n", step) == [Line(4, b"one", 6), Line(8, b" two", 15)]
    assert read(gzip.compress(b"\n" * (4 << 20) + b"x", 1)) == [Line((4 << 20) + 1, b"x", 4 << 20)]


def test_nothing_gives_nothing() -> None:
    assert read(b"") == []
    assert read(b"\n\n") == []
    assert read(gzip.compress(b"")) == []
    assert read(b"x") == [Line(1, b"x")]


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_a_line_that_is_too_long_costs_itself_alone(step: int) -> None:
    data = b"good\n" + b"x" * 100 + b"\ngood too\n" + b"y" * 50
    bad = "longer than 20 bytes"
    found = read(data, step, longest=20)
    assert found == [Line(1, b"good"), BadLine(2, bad, 5), Line(3, b"good too", 106), BadLine(4, bad, 115)]


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_what_was_whole_before_the_cut_is_kept(step: int) -> None:
    packed = zlib.compressobj(wbits=31)
    whole = packed.compress(b"one\ntwo\n") + packed.flush(zlib.Z_FULL_FLUSH)
    found = read(whole, step)
    assert found[:2] == [Line(1, b"one"), Line(2, b"two", 4)]
    assert found[2:] == [BadLine(3, "the gzip file is cut off here", 8, last=True)]


def test_bytes_after_the_last_member_are_named() -> None:
    found = read(gzip.compress(b"one\n") + b"rubbish")
    assert found == [Line(1, b"one"), BadLine(2, "trailing bytes that are no gzip", 4, last=True)]


def test_a_broken_member_is_named_once() -> None:
    found = read(gzip.compress(b"one\n") + b"\x1f\x8b\x08\x00" + b"\xff" * 400 + gzip.compress(b"two\n"))
    assert found[0] == Line(1, b"one")
    (bad,) = found[1:]
    assert isinstance(bad, BadLine)
    assert bad.reason.startswith("broken gzip")


def test_a_bomb_costs_its_own_line_and_no_memory() -> None:
    """64 MiB in 64 kB: the next good line is read, and never more than a step and the bound were held."""
    bomb = gzip.compress(b"first\n") + gzip.compress(b"\0" * (64 << 20)) + gzip.compress(b"\ngood\n")
    lines = Lines(longest=1 << 20)
    found = []
    for start in range(0, len(bomb), 1 << 14):
        for one in lines.feed(bomb[start : start + (1 << 14)]):
            found.append(one)
            assert lines._held <= 1 << 20
    found += list(lines.end())
    behind = len(b"first\n") + (64 << 20) + 1
    assert found == [Line(1, b"first"), BadLine(2, f"longer than {1 << 20} bytes", 6), Line(3, b"good", behind)]


def test_a_file_that_opens_too_far_is_given_up() -> None:
    found = read(gzip.compress(b"a\n" * 1000), largest=1000)
    assert found == [BadLine(1, "the file opens to more than is read", last=True)]
