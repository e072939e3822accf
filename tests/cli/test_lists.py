"""``rozaneh lists``: from signing to measuring, as its user and its signer type it."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from rozaneh.cli.check_files import urls_of
from rozaneh.cli.main import dispatch
from rozaneh.core import LocalFault
from rozaneh.words import Words

IR = "url,category_code\nhttps://news.example/,NEWS\nhttp://192.168.1.1/,NEWS\nhttps://a.example/,PORN\n"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything, with two key pairs and a list in the folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        key = Ed25519PrivateKey.generate()
        (tmp_path / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pub").write_bytes(public)
    (tmp_path / "ir.csv").write_text(IR)
    return tmp_path


def ran(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        dispatch(["lists", *arguments])
    out, err = capfdbinary.readouterr()
    return int(ended.value.code or 0), out.decode(), err.decode()


def test_from_a_signer_to_a_check(capfdbinary: pytest.CaptureFixture[bytes], alone: Path) -> None:
    code, out, _ = ran(capfdbinary, "show")
    assert code == 3
    assert "No key is trusted for updates, and none comes with Rozaneh." in out
    assert not (alone / "state").exists()
    sign = ("sign", "--key", "one.pem", "--out")
    assert ran(capfdbinary, *sign, "5.json", "--version", "5", "ir=ir.csv")[0] == 0
    assert ran(capfdbinary, *sign, "now.json", "ir=ir.csv", "--json")[0] == 0
    assert ran(capfdbinary, "trust", "one.pub")[0] == 0
    code, out, _ = ran(capfdbinary, "update", "5.json", "--json")
    counts = {"sites": 2, "permitted": 1, "left_out": 1, "risky": ["PORN"]}
    assert (code, json.loads(out)) == (0, {"version": 5, "lists": {"ir": counts}, "error": None})
    code, out, err = ran(capfdbinary, "update", "5.json")
    assert (code, out) == (1, "")
    assert err == "Nothing was changed: version 5 of the test lists is not newer than version 5\n"
    assert ran(capfdbinary, "update", "now.json")[0] == 0
    code, out, _ = ran(capfdbinary, "show", "--lang", "en")
    assert (code, out.splitlines()[0]) == (
        0,
        "ir: 2 sites, 1 of them without risky categories; 1 lines left out.",
    )
    assert "0 days old" in out
    code, out, _ = ran(capfdbinary, "show", "ir")
    assert (code, out.splitlines()) == (0, ["https://news.example/ NEWS", "https://a.example/ PORN"])
    assert urls_of(Path("ir"), (), Words("en")) == ["https://news.example/"]
    assert urls_of(Path("ir"), ("PORN",), Words("en")) == ["https://news.example/", "https://a.example/"]
    (alone / "ir").write_text("https://file.example/\n")
    assert urls_of(Path("ir"), (), Words("en")) == ["https://file.example/"]


def test_another_signer_is_believed_by_the_users_word_alone(
    capfdbinary: pytest.CaptureFixture[bytes], alone: Path
) -> None:
    ran(capfdbinary, "sign", "--key", "two.pem", "--out", "other.json", "ir=ir.csv")
    ran(capfdbinary, "trust", "one.pub")
    code, out, err = ran(capfdbinary, "update", "other.json", "--json")
    assert code == 1
    assert "nobody signed whose key is known here" in json.loads(out)["error"]
    assert "Nothing was changed" in err
    key = json.loads(ran(capfdbinary, "trust", "two.pub", "--json")[1])["keys"][1]
    assert ran(capfdbinary, "update", "other.json")[0] == 0
    assert ran(capfdbinary, "distrust", key)[0] == 0
    code, out, err = ran(capfdbinary, "show")
    assert code == 1, "what only that key vouched for is a list no more"
    assert "nobody signed" in err
    assert (alone / "other.json").exists()


def test_ones_own(capfdbinary: pytest.CaptureFixture[bytes], alone: Path) -> None:
    (alone / "mine.csv").write_text("https://a.example/\nhttp://127.0.0.1/\n")
    code, out, err = ran(capfdbinary, "add", "mine.csv")
    assert (code, "mine is kept." in out) == (0, True)
    assert "mine.csv, line 2: an address that is not on the public internet" in err
    (alone / "mine.csv").unlink()
    assert urls_of(Path("mine"), (), Words("en")) == ["https://a.example/"]
    shown: Any = json.loads(ran(capfdbinary, "show", "--json")[1])
    assert [(each["list"], each["from"]) for each in shown["lists"]] == [("mine", "own")]
    (alone / "odd.csv").write_text("url,category_code\nhttps://a.example/\u202egro,\x1b[2J\x1b]0;X\n")
    assert ran(capfdbinary, "add", "odd.csv")[0] == 0
    out = ran(capfdbinary, "show", "odd")[1]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert ran(capfdbinary, "remove", "odd")[0] == 0
    assert ran(capfdbinary, "remove", "mine")[0] == 0
    assert ran(capfdbinary, "show")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("trust", "no-such-file"), "not a public key"),
        (("trust", "one.pem"), "not a public key"),
        (("update", "one.pub"), "no key is trusted"),
        (("update", "absent.json"), "cannot read"),
        (("update", "http://lists.example/x"), "expected https://"),
        (("update", "file:///etc/passwd"), "not a list's address"),
        (("add", "absent.csv"), "cannot read"),
        (("add", "one.pem"), "no site is left"),
        (("remove", "nothing"), "no list of yours"),
        (("show", "nothing"), "no list called nothing"),
        (("sign", "--key", "one.pub", "--out", "x.json", "ir=ir.csv"), "not a private key"),
        (("sign", "--key", "one.pem", "--out", "x.json", "iran=ir.csv"), "not an update of test lists"),
        (("sign", "--key", "one.pem", "--out", "x.json", "ir"), "expected NAME=FILE"),
        (("sign", "--key", "one.pem", "--out", "one.pub", "ir=ir.csv"), "cannot write"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], line: str) -> None:
    with pytest.raises(LocalFault) as raised:
        dispatch(["lists", *arguments])
    assert line in str(raised.value).replace("\u2068", "").replace("\u2069", "")
    assert "\n" not in str(raised.value)
