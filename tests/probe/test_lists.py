"""The lists that a user keeps: whose updates are believed, no way back, nothing half, and what is junk stays out."""

import base64
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rozaneh.core import LocalFault
from rozaneh.ooni.listupdate import BadUpdate, sign_update
from rozaneh.probe.lists import MOST_KEYS, Lists, read_key

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
PUBLIC, ELSE = (key.public_key().public_bytes_raw() for key in (KEY, OTHER))
IR = "url,category_code\nhttps://news.example/,NEWS\nhttp://192.168.1.1/,NEWS\nhttps://a.example/,PORN\n"


def bundle(version: int, key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_update(version, {"ir": IR, "global": f"url\nhttps://v{version}.example/\n"}, key)


def in_hand(kept: Lists) -> int | None:
    return kept.current.version if kept.current else None


def test_nothing_is_believed_until_the_user_names_a_key(tmp_path: Path) -> None:
    kept = Lists(tmp_path / "lists")
    assert (kept.keys, kept.current, list(kept), kept.named("ir")) == ((), None, [], None)
    with pytest.raises(LocalFault, match="none comes with Rozaneh"):
        kept.update(bundle(1))
    assert not kept.folder.exists()
    kept.trust(PUBLIC)
    assert kept.update(bundle(1)).version == 1
    assert [name for name, _ in kept] == ["global", "ir"]
    found = kept.named("ir")
    assert found is not None
    assert [site.url for site in found.permitted()] == ["https://news.example/"]
    assert [left.reason for left in found.left_out] == ["an address that is not on the public internet"]
    for path in kept.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    kept = Lists(tmp_path / "lists")
    kept.trust(PUBLIC)
    kept.update(bundle(7))
    before = {path: path.read_bytes() for path in kept.folder.rglob("*") if path.is_file()}
    good = bundle(8)
    for wrong in (
        bundle(7),
        bundle(6),
        bundle(9, OTHER),
        b"",
        b"{}",
        good[:-9],
        good[:50] + b"AAAA" + good[54:],
        b"[" * 9999,
    ):
        with pytest.raises(BadUpdate):
            kept.update(wrong)
    assert {path: path.read_bytes() for path in kept.folder.rglob("*") if path.is_file()} == before
    assert in_hand(kept) == 7


def test_there_is_no_way_back_through_a_change_of_keys(tmp_path: Path) -> None:
    kept = Lists(tmp_path / "lists")
    kept.trust(PUBLIC)
    kept.update(bundle(7))
    kept.trust(ELSE)
    kept.distrust(PUBLIC)
    with pytest.raises(BadUpdate, match="nobody signed"):
        _ = kept.current
    with pytest.raises(BadUpdate, match="not newer"):
        kept.update(bundle(7, OTHER))
    (kept.folder / "update.json").unlink()
    with pytest.raises(BadUpdate, match="not newer"):
        kept.update(bundle(3, OTHER))
    assert kept.update(bundle(8, OTHER)).version == 8


def test_a_changed_disk_is_no_list_and_damaged_keys_believe_nobody(tmp_path: Path) -> None:
    kept = Lists(tmp_path / "lists")
    kept.trust(PUBLIC)
    kept.update(bundle(2))
    (kept.folder / "update.json").write_bytes(bundle(5, OTHER))
    with pytest.raises(BadUpdate):
        kept.named("ir")
    (kept.folder / "trusted.json").write_text('{"keys": ["x"]')
    with pytest.raises(LocalFault, match=r"trusted\.json is damaged"):
        kept.update(bundle(6))


def test_an_end_at_any_moment_leaves_a_whole_update_and_forgets_no_version(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.probe.test_lists import Lists, PUBLIC, bundle\n"
        "kept = Lists(Path(sys.argv[1])); kept.trust(PUBLIC)\n"
        "for number in range(1, 10**6): print(kept.update(bundle(number)).version, flush=True)\n"
    )
    told = 0
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while told < 25:
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in process.stdout.read().split())])
    kept = Lists(folder)
    now = in_hand(kept)
    assert now is not None
    assert now >= told
    with pytest.raises(BadUpdate, match="not newer"):
        kept.update(bundle(now))
    assert kept.update(bundle(now + 1)).version == now + 1


def test_of_two_updates_at_once_the_older_does_not_come_last(tmp_path: Path) -> None:
    kept = Lists(tmp_path / "lists")
    kept.trust(PUBLIC)
    bundles = [bundle(number) for number in range(1, 41)]

    def take(data: bytes) -> int:
        try:
            return Lists(kept.folder).update(data).version
        except BadUpdate:
            return 0

    with ThreadPoolExecutor(8) as at_once:
        taken = list(at_once.map(take, reversed(bundles)))
    assert in_hand(kept) == max(taken) == 40


def test_lists_of_ones_own(tmp_path: Path) -> None:
    kept = Lists(tmp_path / "lists")
    assert len(kept.add("mine", b"https://a.example/\nfile:///etc/passwd\n").left_out) == 1
    assert kept.own() == ["mine"]
    kept.add("mine", b"https://b.example/\n")
    found = kept.named("mine")
    assert found is not None
    assert [site.url for site in found.sites] == ["https://b.example/"]
    for name in ("ir", "global", "../mine", "Mine", "", "x" * 41, "a/b", "a\0b", ".hidden"):
        with pytest.raises(LocalFault, match="not a name"):
            kept.add(name, b"https://a.example/\n")
    for junk in (b"", b"\xff\xfe" * 100, b"http://10.0.0.1/\nhttp://localhost/\n", b"x" * 1000, b"\0" * 1000):
        with pytest.raises(LocalFault, match="no site is left"):
            kept.add("mine", junk)
    with pytest.raises(LocalFault, match="mine"):
        kept.remove("other")
    kept.remove("mine")
    assert kept.own() == []


def test_a_key_is_read_in_both_forms_and_nothing_else_is_one(tmp_path: Path) -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert read_key(pem) == read_key(f" {base64.b64encode(PUBLIC).decode()}\n") == PUBLIC
    wrong_kind = Ed448PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for wrong in ("", "x", "AAAA", pem[:40], wrong_kind.decode(), "-----BEGIN PUBLIC KEY-----\n", "A" * 9999):
        with pytest.raises(LocalFault, match="not a public key"):
            read_key(wrong)
    kept = Lists(tmp_path / "lists")
    for number in range(MOST_KEYS):
        kept.trust(bytes([number]) * 32)
    with pytest.raises(LocalFault, match="trusted already"):
        kept.trust(PUBLIC)
    with pytest.raises(LocalFault, match="not trusted"):
        kept.distrust(PUBLIC)
