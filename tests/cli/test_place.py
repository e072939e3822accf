"""Where a measurement was made, as it is said on the command line."""

from pathlib import Path

import pytest

from rozaneh.cli.place import TABLE, Placing
from rozaneh.core import LocalFault
from rozaneh.probe.whereabouts import Whereabouts


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(TABLE, raising=False)


@pytest.mark.parametrize(
    ("network", "country", "table"),
    [("MCI", None, None), ("AS0", None, None), ("AS4294967296", None, None), ("AS١", None, None), ("-1", None, None),
     (None, "Iran", None), (None, "I1", None), (None, None, Path("absent")), (None, None, Path("/"))],
)  # fmt: skip
def test_what_is_no_place_is_one_line(network: str | None, country: str | None, table: Path | None) -> None:
    with pytest.raises(LocalFault) as raised:
        Placing.given(network, country, table)
    assert "\n" not in str(raised.value)


def test_a_table_without_ranges_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("nothing\n")
    with pytest.raises(LocalFault, match="holds no ranges"):
        Placing.given(None, None, tmp_path / "empty")


def test_two_addresses_in_two_networks_are_in_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table").write_text("5.202.0.0/16,49100,IR\n85.133.0.0/16,31549,IR\n")
    monkeypatch.setenv(TABLE, str(tmp_path / "table"))
    placing = Placing.given(None, None, None)
    heard = Whereabouts()
    heard.hear("a", 197207, "IR")
    assert placing.placed(heard, ["5.202.1.1"]).place.asn == 49100
    said = Placing.given("as44244", "ir", None).placed(heard, ["5.202.1.1"])
    assert (said.place.asn, said.place.country, said.source) == (44244, "IR", "user"), "the user's word goes first"
    assert placing.placed(heard, ["5.202.1.1", "85.133.1.1"]).place.asn == 0
    assert placing.placed(heard, ["1.1.1.1"]).source == "", "what vantages say is not written without a yes to it"
