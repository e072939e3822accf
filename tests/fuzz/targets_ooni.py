"""What strangers upload: files, lines, and the parts of a measurement."""

from contextlib import suppress

from msgspec import Raw

from rozaneh.ooni import BadMeasurement, Line, Lines, decode, own, values, web_keys
from rozaneh.ooni.classic import classic
from rozaneh.ooni.documents import documents
from rozaneh.ooni.listupdate import BadUpdate, open_update
from rozaneh.ooni.observations import flatten, title_of
from rozaneh.ooni.testlists import read_list, refusal


def fuzz_lines(data: bytes) -> None:
    whole, bytewise = Lines(longest=100), Lines(longest=100)
    found = [*whole.feed(data), *whole.end()]
    again = [line for byte in data for line in bytewise.feed(bytes((byte,)))] + list(bytewise.end())
    assert [one for one in found if isinstance(one, Line)] == [one for one in again if isinstance(one, Line)]


def fuzz_documents(data: bytes) -> None:
    lines = Lines(longest=100)
    given = [*lines.feed(data), *lines.end()]
    last = 0
    for one in documents(iter(given)):
        assert one.number >= last
        last = one.number
        if isinstance(one, Line):
            assert one.data.strip()


def fuzz_line(data: bytes) -> None:
    with suppress(BadMeasurement):
        read = decode(data)
        assert len(read.country) == 2
        assert read.asn >= 0
        repr((read.started, read.address))


def fuzz_test_keys(data: bytes) -> None:
    with suppress(BadMeasurement):
        read = decode(b'{"test_keys":%b}' % data)
        with suppress(BadMeasurement):
            own(read)
        web_keys(read)


def fuzz_values(data: bytes) -> None:
    raw = Raw(data)
    values.content(raw)
    values.header_pairs(raw, raw)
    assert values.leaf_certificate(raw) == next(iter(values.certificates(raw)), b"")
    values.network_events(raw)
    values.late_answers(raw)
    values.annotations(raw)


def fuzz_classic(data: bytes) -> None:
    with suppress(BadMeasurement):
        flat = flatten(web_keys(decode(b'{"test_keys":%b}' % data)), data.decode("utf-8", "replace"))
        assert classic(flat).x_blocking_flags < 64


def fuzz_title(data: bytes) -> None:
    assert len(title_of(data)) <= 512


def fuzz_list(data: bytes) -> None:
    found = read_list(data)
    assert not any(map(refusal, (site.url for site in found.sites)))


def fuzz_update(data: bytes) -> None:
    with suppress(BadUpdate):
        open_update(data, [bytes(32)], newest=0)
