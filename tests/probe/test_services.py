"""The catalogue of services: what ships, what people write, and what is said when it is wrong."""

from pathlib import Path

import pytest

from rozaneh.core import LocalFault
from rozaneh.probe.services import catalogue, choose, parse_services, read_services, together

GOOD = """
[[service]]
id = "mine"
name = { en = "Mine", fa = "مال من" }
category = "knowledge"
reason = "to see whether it works"
reviewer = "somebody else"
date = 2026-11-23
source = "https://example.org/"
needs = { all = ["site"] }

[[service.endpoint]]
id = "site"
url = "https://example.org/"
"""
NAMED_IN_THE_ISSUE = (
    "whatsapp", "signal", "viber", "skype", "instagram", "telegram", "google-play", "app-store", "google-search",
    "gmail", "youtube", "google-maps", "google-cloud", "firebase", "github", "proton-mail", "tor", "tor-bridges",
    "wireguard", "openvpn", "wikipedia", "bbc-persian",
)  # fmt: skip


def test_what_people_need_is_in_it() -> None:
    known = {service.id: service for service in catalogue()}
    assert known.keys() >= set(NAMED_IN_THE_ISSUE)
    assert sum(service.domestic for service in known.values()) >= 5
    assert sum(service.category == "resolvers" for service in known.values()) >= 3


def test_circumvention_tools_are_risky_and_nothing_else() -> None:
    assert {service.category for service in catalogue() if service.risky} == {"circumvention"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "site"\nurl', 'id = "site"\nport = 443\nurl', "`port` - at `$.service[0].endpoint[0]`"),
        ("date = 2026-11-23", 'date = "yesterday"', "`$.service[0].date`"),
        ('category = "knowledge"', 'category = "fun"', "`$.service[0].category`"),
        ('url = "https://example.org/"', 'url = "gopher://example.org/"', "scheme 'gopher'"),
        ('url = "https://example.org/"', 'url = "https://exa mple/"', "service 'mine', endpoint 'site'"),
        ('all = ["site"]', 'all = ["page"]', "`needs` names 'page', which is no endpoint of it"),
        ('all = ["site"]', "all = []", "`needs` names nothing"),
        ('reviewer = "somebody else"\n', "", "missing required field `reviewer` - at `$.service[0]`"),
        (
            'url = "https://example.org/"',
            'url = "https://example.org/"\naddresses = ["here"]',
            "not an IP address: 'here'",
        ),
        ("[[service]]", "[service", "mine.toml"),
    ],
)
def test_a_wrong_field_is_one_line_that_names_it(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(LocalFault) as fault:
        parse_services(GOOD.replace(old, new, 1).encode(), "mine.toml")
    line = str(fault.value)
    assert line.startswith("mine.toml: ")
    assert says in line
    assert "\n" not in line


def test_a_file_of_ones_own_adds_to_the_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD, encoding="utf-8")
    known = together(read_services(file), catalogue())
    assert [service.id for service in choose(["MINE", "مال‌من", "wikipedia"], known)] == ["mine", "wikipedia"]


def test_an_id_that_is_taken_is_refused() -> None:
    taken = parse_services(GOOD.replace('"mine"', '"wikipedia"').encode(), "mine.toml")
    with pytest.raises(LocalFault, match="'wikipedia' stands twice"):
        together(taken, catalogue())


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match=r"mine\.toml: cannot be read \(No such file"):
        read_services(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("واتساپ", "whatsapp"),
        ("Google Play", "google-play"),
        ("GOOGLE_PLAY", "google-play"),
        ("example.org", "https://example.org/"),
        ("http://example.org/a?b", "http://example.org/a?b"),
        ("tcp://example.org:22", "tcp://example.org:22"),
    ],
)
def test_what_people_type_is_understood(text: str, found: str) -> None:
    assert [service.id for service in choose([text, text])] == [found]


@pytest.mark.parametrize("text", ["http://[::1", "https://a\u2100b/", "http://[", "http://x:" + "9" * 5000])
def test_what_is_no_address_is_said_to_be_none(text: str) -> None:
    with pytest.raises(LocalFault):
        choose([text])


def test_a_name_that_is_misspelt_is_suggested() -> None:
    with pytest.raises(LocalFault, match="did you mean instagram"):
        choose(["instagrm"])
