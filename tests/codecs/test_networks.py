"""Tables of networks as they are published, and as strangers may send them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rozaneh.codecs import networks
from rozaneh.codecs.networks import NetworkOf, Networks

TABS = "5.202.0.0\t5.202.255.255\t49100\tIR\tIR-THR-PTE\n2a01:5ec0::\t2a01:5ec0:ffff::\t197207\tIR\tMCCI-AS\n"
COMMAS = '# made 2026\n\n1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."\n5.202.1.0/24,AS64500,DE\n'


def test_published_forms_are_read_and_the_narrower_of_two_ranges_speaks() -> None:
    table = Networks((TABS + COMMAS).splitlines())
    assert (table.ranges, table.wrong) == (4, 0)
    assert table.of("5.202.13.200") == NetworkOf(49100, "IR")
    assert table.of("5.202.1.9") == NetworkOf(64500, "DE")
    assert table.of("::ffff:5.202.13.200") == NetworkOf(49100, "IR")
    assert table.of("2a01:5ec0:77::1") == NetworkOf(197207, "IR")
    assert table.of("1.0.0.255") == NetworkOf(13335, "ZZ")
    for unknown in ("1.0.1.0", "0.0.0.0", "255.255.255.255", "::", "no address", ""):
        assert table.of(unknown) == NetworkOf(0, "ZZ")


@pytest.mark.parametrize(
    "line",
    ["x", "1.2.3.4", "1.2.3.4,1.2.3.5", "1.2.3.4,1.2.3.5,", "1.2.3.5,1.2.3.4,1", "1.2.3.4,::1,1", "1.2.3.4,1.2.3.5,-1",
     "1.2.3.4,1.2.3.5,4294967296", "1.2.3.4,1.2.3.5,٣", "1.2.3.0/99,1", '1.2.3.4,1.2.3.5,"1', "1,2,3", "\0", "," * 500,
     "1.2.3.4,1.2.3.5,1," + "x" * 2000],
)  # fmt: skip
def test_junk_is_counted_and_the_rest_is_read(line: str) -> None:
    table = Networks([line, *TABS.splitlines()])
    assert (table.ranges, table.wrong) == (2, 1)
    assert table.of("5.202.0.0").asn == 49100


def test_a_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "MOST", 3)
    table = Networks(f"1.0.{number}.0/24,7" for number in range(9))
    assert (table.ranges, table.wrong) == (3, 1)


@settings(max_examples=30)
@given(st.text(max_size=60), st.ip_addresses().map(str))
def test_any_line_and_any_address_give_an_answer(line: str, address: str) -> None:
    assert 0 <= Networks([line]).of(address).asn < 1 << 32
