"""What strangers send to a helper, and what a helper sends to a probe."""

from contextlib import suppress

import msgspec

from rozaneh.codecs.networks import Networks
from rozaneh.codecs.test_helper import read_answer, read_question
from rozaneh.core import RemoteFault
from rozaneh.helper.vantage import hosts_of


def fuzz_question(data: bytes) -> None:
    for body in (data, msgspec.json.encode({"http_request": "http://" + data.decode("latin-1")})):
        with suppress(RemoteFault):
            question = read_question(body)
            hosts_of(question.http_request, question.tcp_connect)
    with suppress(RemoteFault):
        hosts_of("", [data.decode("latin-1")])


def fuzz_answer(data: bytes) -> None:
    with suppress(RemoteFault):
        read_answer(data)


def fuzz_networks(data: bytes) -> None:
    table = Networks(data.decode("utf-8", "replace").splitlines())
    for address in ("5.202.13.200", "2a01:5ec0::1", data[:40].decode("latin-1")):
        found = table.of(address)
        assert 0 <= found.asn < 1 << 32
        assert len(found.country) == 2
