"""Parts of experiments that need no network: redirects, figures of a comparison, what tor prints, odd hellos."""

import math
from pathlib import Path

import pytest

from rozaneh.codecs.tls import find_client_hello, with_extension
from rozaneh.core import RemoteFault
from rozaneh.diagnosis import Slowness
from rozaneh.probe.experiments.kinds import grease
from rozaneh.probe.experiments.plan import client_hello, is_server_hello
from rozaneh.probe.experiments.throttling import chance_of, compared
from rozaneh.probe.experiments.tor import Bootstrap, bootstrapped, read_log
from rozaneh.probe.experiments.web import next_endpoint
from rozaneh.probe.services import Endpoint

PAGE = Endpoint(id="url", url="https://site.example/a/b")


class TestRedirects:
    @pytest.mark.parametrize(
        ("where", "url"),
        [
            ("https://other.example/x", "https://other.example/x"),
            ("/c?d=e#f", "https://site.example/c?d=e"),
            ("c", "https://site.example/a/c"),
            ("//cdn.example/", "https://cdn.example/"),
            ("http://93.184.216.34/", "http://93.184.216.34/"),
        ],
    )
    def test_public_pages_are_followed(self, where: str, url: str) -> None:
        following, refused = next_endpoint(PAGE, where, [PAGE.url])
        assert following is not None
        assert (following.url, refused) == (url, "")

    @pytest.mark.parametrize(
        "where",
        [
            "http://192.168.1.1/", "http://127.0.0.1:8080/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/",
            "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://0.0.0.0/",
        ],
    )  # fmt: skip
    def test_addresses_that_are_not_public_are_refused(self, where: str) -> None:
        following, refused = next_endpoint(PAGE, where, [])
        assert following is None
        assert "public internet" in refused

    @pytest.mark.parametrize(
        "where", ["ftp://x.example/", "javascript:alert(1)", "file:///etc/passwd", "https://[", "http://"]
    )
    def test_what_is_no_page_is_refused(self, where: str) -> None:
        following, refused = next_endpoint(PAGE, where, [])
        assert following is None
        assert refused

    def test_a_loop_ends(self) -> None:
        assert next_endpoint(PAGE, "https://site.example/a/b", [PAGE.url])[0] is None


class TestComparison:
    def test_a_clean_order_is_rare(self) -> None:
        assert chance_of((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)) == pytest.approx(1 / 20)
        assert chance_of((4.0, 5.0, 6.0), (1.0, 2.0, 3.0)) == 1.0
        assert chance_of((1.0,), (2.0,)) == 0.5

    def test_the_interval_holds_the_ratio(self) -> None:
        rates = compared(Slowness(target=(10.0, 11.0, 12.0), neutral=(100.0, 105.0, 110.0)), 1000)
        assert rates.low < rates.ratio < rates.high
        assert rates.high < 0.5
        assert rates.spent == 1000

    def test_nothing_to_compare_is_said_so(self) -> None:
        for slowness in (None, Slowness(target=(), neutral=(1.0,)), Slowness(target=(1.0,), neutral=())):
            assert compared(slowness, 5).chance == 1.0

    def test_one_pair_has_no_interval(self) -> None:
        rates = compared(Slowness(target=(1.0,), neutral=(2.0,)), 0)
        assert rates.low == 0.0
        assert math.isfinite(rates.high)


class TestTor:
    LOG = (
        "Nov 26 00:00:00.000 [notice] Tor 0.4.9.11 running on Linux with Libevent 2.1.12\n"
        "Nov 26 00:00:01.000 [notice] Bootstrapped 5% (conn): Connecting to a relay\n"
        "Nov 26 00:00:01.000 [notice] Bootstrapped 10% (conn_done): Connected to a relay\n"
    )

    def test_how_far_it_got(self) -> None:
        seen = read_log(self.LOG, Bootstrap())
        assert (seen.tor_version, seen.tor_progress, seen.tor_progress_tag) == ("0.4.9.11", 10, "conn_done")
        assert seen.tor_progress_summary == "Connected to a relay"
        assert not seen.success

    def test_the_end(self) -> None:
        assert read_log(self.LOG + "[notice] Bootstrapped 100% (done): Done\n", Bootstrap()).success

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_a_program_that_says_so_has_started(self, tmp_path: Path) -> None:
        program = tmp_path / "tor"
        program.write_text("#!/bin/sh\necho '[notice] Bootstrapped 100% (done): Done'\nexec sleep 60\n")
        program.chmod(0o755)
        seen = await bootstrapped(str(program), 10.0)
        assert seen is not None
        assert (seen.success, seen.error) == (True, None)

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_one_that_does_not_is_ended(self, tmp_path: Path) -> None:
        program = tmp_path / "tor"
        program.write_text("#!/bin/sh\necho '[notice] Bootstrapped 10% (conn_done): Connected'\nexec sleep 60\n")
        program.chmod(0o755)
        seen = await bootstrapped(str(program), 1.5)
        assert seen is not None
        assert (seen.success, seen.error, seen.tor_progress) == (False, "timeout-reached", 10)

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_without_the_program_there_is_no_result(self) -> None:
        assert await bootstrapped(None) is None


class TestHellos:
    @pytest.mark.parametrize("name", ["blocked.example", ""])
    def test_one_more_extension_keeps_the_hello_readable(self, name: str) -> None:
        record = client_hello(name)
        longer = with_extension(record, 0xFE0D, grease())
        before, after = find_client_hello(record), find_client_hello(longer)
        assert before is not None
        assert after is not None
        assert before.server_name == after.server_name == name
        assert len(longer) == len(record) + 4 + len(grease())

    @pytest.mark.parametrize("damage", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", client_hello("a.example")[:-1]])
    def test_what_is_no_hello_is_refused(self, damage: bytes) -> None:
        with pytest.raises(RemoteFault):
            with_extension(damage, 1, b"")

    def test_too_much_for_a_record_is_refused(self) -> None:
        with pytest.raises(RemoteFault, match="too long"):
            with_extension(client_hello("a.example"), 1, bytes(65_530))

    def test_what_answers_a_hello(self) -> None:
        assert is_server_hello(b"\x15\x03\x03\x00\x02\x02\x28")
        assert not is_server_hello(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert not is_server_hello(b"")
