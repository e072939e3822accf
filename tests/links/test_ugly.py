"""Lists as they are handed around: what can be read is kept, what cannot is named, and no message has a secret."""

import base64
import random

import pytest

from rozaneh.core import SpecError
from rozaneh.links import LONGEST_FILE, parse, read

UUID = "b831381d-6324-4d53-ad4f-8cda48b30811"
SECRET = "geheim"
SS = f"ss://aes-128-gcm:{SECRET}@h.example:8388"
LINES = [
    f"{SS}#🇩🇪 آلمان | Telegram: @channel",
    f"trojan://{SECRET}@t.example:443?sni=a.example&allowInsecure=1#\u200fسرور | tls | 2",
    f"vless://{UUID}@v.example:443?type=ws&security=tls&path=%2Fx#%E2%9C%85",
    f"vmess://{base64.b64encode(SECRET.encode()).decode()}",
    f"hysteria2://{SECRET}@h.example:443?insecure=1#x",
    f"tuic://{UUID}:{SECRET}@h.example:443",
    f"https://sub.example/link/{SECRET}?sub=1",
    f"ssconf://x.example/{SECRET}",
]
WHOLE = "\r\n".join(LINES)
CODED = base64.b64encode(WHOLE.encode()).decode()
KEPT = ["ss", "trojan", "vless"]
LISTS = {
    "lines": WHOLE,
    "base64": CODED,
    "base64 in lines": "\r\n".join(CODED[at : at + 76] for at in range(0, len(CODED), 76)),
    "base64 with a mark of its order": "\ufeff" + CODED,
    "base64 of base64": base64.b64encode(CODED.encode()).decode(),
    "base64 below a comment": f"# channel\n{CODED}\n",
    "each twice": f"{WHOLE}\n{WHOLE}",
    "old line ends": "\r".join(LINES),
}


@pytest.mark.parametrize("name", LISTS)
def test_what_is_spoken_is_kept_and_what_is_not_is_named(name: str) -> None:
    found, wrong = read(LISTS[name])
    assert [each.kind for each in found] == KEPT
    assert found[0].name == "🇩🇪 آلمان | Telegram: @channel"
    assert found[1].name == "سرور | tls | 2"
    assert all(each.way for each in found)
    assert {each.reason.partition("://")[0] for each in wrong} >= {"vmess", "hysteria2", "tuic", "ssconf"}
    assert SECRET not in str(wrong)
    assert len(wrong) in (5, 10)


def test_links_on_one_line_are_several() -> None:
    for between in (" ", ", ", " \u200f "):
        found, _ = read(between.join(LINES[:3]))
        assert [each.kind for each in found][:1] == ["ss"]
        assert SECRET not in "".join(each.name + each.shown for each in found)
    assert [each.kind for each in read(" ".join(LINES[:3]))[0]] == KEPT


def test_a_stack_with_a_name_in_it_is_still_one() -> None:
    way = parse(f"{SS}#name|tcp")
    assert (way.kind, way.way.rpartition("@")[2]) == ("stack", "h.example:8388|tcp")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<!DOCTYPE html>\n<html>\n<body>502\nss://x</body></html>", "a web page"),
        ('{"error": "token expired"}', "lists no ways"),
        ('{"outbounds": [{"type": "vless", "uuid": "geheim"}]}', "lists no ways"),
    ],
)
def test_an_error_in_place_of_a_list_is_one_line(text: str, reason: str) -> None:
    found, (wrong,) = read(text)
    assert found == []
    assert (wrong.place, SECRET in wrong.reason) == ("the file", False)
    assert reason in wrong.reason


def test_of_a_hundred_thousand_lines_the_first_are_kept() -> None:
    lines = [f"ss://aes-128-gcm:x@h{n}.example:8388#server number {n}" for n in range(100_000)]
    for text in ("\n".join(lines), base64.b64encode("\n".join(lines).encode()).decode()):
        assert len(text) > LONGEST_FILE
        found, wrong = read(text)
        assert len(found) == 5000
        assert [each.place for each in wrong] == ["the rest", "line 5001"]


@pytest.mark.parametrize(
    "text",
    [
        f"trojan://{SECRET}",
        f"trojan://{SECRET}:443",
        f"socks5://user:{SECRET}",
        f"ss://x:{SECRET}!",
        f"https://h:{SECRET}",
    ],
)
def test_a_link_that_has_lost_its_end_does_not_show_its_password(text: str) -> None:
    try:
        way = parse(text)
    except SpecError as error:
        assert SECRET not in str(error)  # noqa: PT017 - some of them are links all the same
    else:
        assert way.place == f"{SECRET}:443", "nothing tells it from the name of a server"


def test_whatever_is_cut_or_changed_shows_no_secret() -> None:
    chance = random.Random(20260101)
    for _ in range(400):
        text = bytearray(chance.choice((WHOLE, CODED)).encode())
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(len(text))
            if chance.random() < 0.5:
                text[at] = chance.choice(b"\0\r\n %@:/?#[]|&=\xff")
            else:
                del text[at : at + chance.randint(1, 40)]
        found, wrong = read(text.decode("utf-8", "replace"))
        shown = [each.reason for each in wrong] + [f"{each!r} {each.unknown}" for each in found]
        assert not [each for each in shown if SECRET in each and f"place='{SECRET}" not in each]
