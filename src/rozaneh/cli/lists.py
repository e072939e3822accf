"""``rozaneh lists``: the test lists that are kept on this device: see, update, add, remove, sign."""

import base64
import datetime as dt
import os
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.core import LocalFault, RemoteFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.dialers import build
from rozaneh.finder import Finder, Found
from rozaneh.gateway.given import parse_ways, state_folder
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.ooni.listupdate import LARGEST_BUNDLE, BadUpdate, Update, sign_update
from rozaneh.ooni.testlists import LARGEST, TestList, read_list, risk
from rozaneh.probe.fetching import fetch
from rozaneh.probe.lists import Lists, read_key
from rozaneh.probe.share.collector import parse_url
from rozaneh.words import Words, later, mark, shown, text_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark("Test lists on this device: see, update, add and remove them."),
)

_FAILED, _TOO_LITTLE = 1, 3
_OLD_DAYS = 60
_MOST_NAMED = 20
_LARGEST_KEY_FILE = 4096

OF_UPDATE = mark("{name}: {sites} sites, {permitted} of them without risky categories; {left_out} lines left out.")
ONES_OWN = mark(
    "{name}, yours: {sites} sites, {permitted} of them without risky categories; {left_out} lines left out."
)

Key = Annotated[
    str, typer.Argument(metavar="KEY|FILE", help=mark("The public key: a file (PEM or base64), or its base64."))
]


def kept_lists() -> Lists:
    """The lists of this user."""
    return Lists(state_folder() / "lists")


@app.command(
    help=mark("Say which lists there are, or the sites of one."), epilog=mark("Example: rozaneh lists show ir")
)
def show(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help=mark("A list; without any, all of them are named."))
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Name the lists, or the sites of one."""
    tongue, kept = words(lang), kept_lists()
    if name is not None:
        _show_one(name, kept.named(name), tongue, as_json=as_json)
        return
    update, wrong = _current(kept)
    found = {key: (value, "update") for key, value in sorted(update.lists.items())} if update else {}
    found |= {key: (value, "own") for key in kept.own() if (value := kept.named(key)) is not None}
    if as_json:
        print_json(
            {
                "version": update.version if update else None,
                "made": update.made.isoformat() if update and update.made else None,
                "keys": [base64.b64encode(key).decode() for key in kept.keys],
                "error": wrong or None,
                "lists": [{"list": key, "from": origin, **_counts(value)} for key, (value, origin) in found.items()],
            }
        )
    else:
        _show_all(found, update, kept, tongue)
    if wrong:
        console(errors=True).print(tongue.say("Note: {text}", text=wrong))
        raise typer.Exit(_FAILED)
    if not found:
        raise typer.Exit(_TOO_LITTLE)


def _current(kept: Lists) -> tuple[Update | None, str]:
    """The update in hand, and what is wrong with it."""
    try:
        return kept.current, ""
    except BadUpdate as fault:
        return None, text_of(fault)


def _counts(found: TestList) -> dict[str, Any]:
    off = sorted({site.category for site in found.sites if risk(site.category)})
    return {
        "sites": len(found.sites),
        "permitted": len(found.permitted()),
        "left_out": len(found.left_out),
        "risky": off,
    }


def _show_all(found: dict[str, tuple[TestList, str]], update: Update | None, kept: Lists, tongue: Words) -> None:
    screen, say = console(), tongue.say
    for key, (value, origin) in found.items():
        counts = _counts(value)
        message = ONES_OWN if origin == "own" else OF_UPDATE
        screen.print(
            say(
                message,
                name=key,
                **{each: counts[each] for each in ("sites", "permitted", "left_out")},
            )
        )
    if not found:
        screen.print(say("There are no lists on this device. To add one: rozaneh lists add FILE"))
    if not kept.keys:
        screen.print(
            say("No key is trusted for updates, and none comes with Rozaneh. To name one: rozaneh lists trust FILE")
        )
    if update is not None:
        _age(update, tongue)


def _age(update: Update, tongue: Words) -> None:
    screen = console()
    if update.made is None:
        screen.print(tongue.say("The update is version {version}, of unknown date.", version=str(update.version)))
        return
    days = (clock_from_environment().now().date() - update.made).days
    screen.print(
        tongue.say_n(
            "The update is version {version}, {n} day old.",
            "The update is version {version}, {n} days old.",
            max(days, 0),
            version=str(update.version),
        )
    )
    if days > _OLD_DAYS:
        screen.print(tongue.say("It is old; a newer one may exist."))


def _show_one(name: str, found: TestList | None, tongue: Words, *, as_json: bool) -> None:
    if found is None:
        raise LocalFault(
            tongue.say("There is no list called {name}. To see which there are: rozaneh lists show", name=name)
        )
    if as_json:
        print_json([{"url": site.url, "category": site.category, "risky": risk(site.category)} for site in found.sites])
        return
    screen = console()
    for site in found.sites:
        screen.print(shown(f"{site.url} {site.category}".strip()))


@app.command(
    help=mark(
        "Believe the updates that are signed with a key. Rozaneh comes with none: whose lists you believe is your"
        " choice."
    ),
    epilog=mark("Example: rozaneh lists trust public.pem"),
)
def trust(key: Key, *, as_json: Json = False, lang: Lang = None) -> None:
    """Keep the key."""
    tongue, kept = words(lang), kept_lists()
    kept.trust(_key(key))
    _said_of_keys(kept, tongue, as_json=as_json)


@app.command(help=mark("Believe a key no more."))
def distrust(key: Key, *, as_json: Json = False, lang: Lang = None) -> None:
    """Forget the key."""
    tongue, kept = words(lang), kept_lists()
    kept.distrust(_key(key))
    _said_of_keys(kept, tongue, as_json=as_json)


def _key(text: str) -> bytes:
    path = Path(text)
    try:
        if path.is_file():
            with path.open(encoding="ascii") as file:
                return read_key(file.read(_LARGEST_KEY_FILE + 1))
    except (OSError, UnicodeDecodeError) as error:
        raise LocalFault(later("cannot read a key in {path}: {error}", path=path, error=error)) from error
    return read_key(text)


def _said_of_keys(kept: Lists, tongue: Words, *, as_json: bool) -> None:
    keys = [base64.b64encode(key).decode() for key in kept.keys]
    if as_json:
        print_json({"keys": keys})
        return
    for key in keys:
        console().print(tongue.say("Updates are believed that are signed with {key}.", key=key))
    if not keys:
        console().print(tongue.say("No updates are believed any more."))


@app.command(
    help=mark(
        "Take a signed update from a file or an https address; what is in hand stays if anything is wrong with it."
    ),
    epilog=mark("Example: rozaneh lists update lists.json"),
)
def update(
    source: Annotated[
        str, typer.Argument(metavar="FILE|URL", help=mark("Where it is; an address is asked by any way that is open."))
    ],
    *,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Get, check, put in place."""
    tongue, kept = words(lang), kept_lists()
    try:
        data = anyio.run(_fetched, source) if "://" in source else _file(Path(source), LARGEST_BUNDLE)
        taken = kept.update(data)
    except RemoteFault as fault:
        if as_json:
            print_json({"version": None, "lists": {}, "error": str(fault)})
        console(errors=True).print(tongue.say("Nothing was changed: {reason}", reason=fault))
        raise typer.Exit(_FAILED) from fault
    if as_json:
        lists = {name: _counts(found) for name, found in sorted(taken.lists.items())}
        print_json({"version": taken.version, "lists": lists, "error": None})
        return
    _show_all({name: (found, "update") for name, found in sorted(taken.lists.items())}, taken, kept, tongue)


async def _fetched(url: str) -> bytes:
    target = parse_url(url, mark("a list's address"))
    network, believed = RealNetwork(), Trust.system()
    ways = parse_ways(os.environ.get("ROZANEH_WAYS", "").splitlines(), "ROZANEH_WAYS", lambda _: None)
    finder = Finder(network, ways=ways, trust=believed, clock=clock_from_environment())
    return await fetch(target, (build("tcp", network, trust=believed), Found(finder)), believed, longest=LARGEST_BUNDLE)


def _file(path: Path, largest: int) -> bytes:
    try:
        with open_ordinary(path) as file:
            return file.read(largest + 1)
    except OSError as error:
        raise LocalFault(later("cannot read {path}: {why}", path=path, why=error.strerror)) from error


@app.command(
    help=mark("Keep a list of your own: Citizen Lab's CSV, or one URL on each line."),
    epilog=mark("Example: rozaneh lists add sites.csv --name mine"),
)
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=mark("The list."))],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help=mark("What to call it; else as the file is called."))] = "",
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Read and keep."""
    tongue, notes = words(lang), console(errors=True)
    called = name or file.stem.lower()
    found = kept_lists().add(called, _file(file, LARGEST))
    if as_json:
        print_json({"list": called, **_counts(found)})
        return
    for left in found.left_out[:_MOST_NAMED]:
        notes.print(tongue.say("{file}, line {number}: {reason}", file=str(file), number=left.line, reason=left.reason))
    if len(found.left_out) > _MOST_NAMED:
        notes.print(tongue.say("{count} more lines were left out.", count=len(found.left_out) - _MOST_NAMED))
    console().print(tongue.say("{name} is kept. To measure it: rozaneh check --urls {name}", name=called))


@app.command(help=mark("Remove a list of your own."))
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help=mark("Which."))],
    *,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Forget it."""
    kept_lists().remove(name)
    if as_json:
        print_json({"removed": name})
    else:
        console().print(words(lang).say("{name} is removed.", name=name))


@app.command(
    help=mark("Sign lists for others, as whoever answers for them: makes the file that 'update' takes."),
    epilog=mark("Example: rozaneh lists sign --key private.pem --out lists.json ir=ir.csv global=global.csv"),
)
def sign(
    lists: Annotated[
        list[str], typer.Argument(metavar="NAME=FILE...", help=mark("A country in two small letters, or global."))
    ],
    *,
    key: Annotated[Path, typer.Option(metavar="FILE", help=mark("The private key of Ed25519 (PEM)."))],
    out: Annotated[Path, typer.Option(metavar="FILE", help=mark("The file to write; it must not be there yet."))],
    version: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", min=1, help=mark("Higher than any before; else made of the time of day.")),
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Read, sign, write."""
    tongue, now = words(lang), dt.datetime.now(dt.UTC)
    texts = dict(_named(each) for each in lists)
    number = version or int(now.strftime("%Y%m%d%H%M"))
    try:
        bundle = sign_update(number, texts, _private(key), made=now.date())
        with out.open("xb") as file:
            file.write(bundle)
    except BadUpdate as fault:
        raise LocalFault(text_of(fault)) from fault
    except OSError as error:
        raise LocalFault(later("cannot write {out}: {why}", out=out, why=error.strerror)) from error
    if as_json:
        print_json({"file": str(out), "version": number, "lists": sorted(texts)})
        return
    console().print(tongue.say("{file} is version {version} of the lists.", file=str(out), version=str(number)))


def _named(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    if not path:
        raise LocalFault(later("not a list to sign: {text!r}; expected NAME=FILE, such as ir=ir.csv", text=text[:60]))
    data = _file(Path(path), LARGEST)
    if not read_list(data).sites:
        raise LocalFault(later("{path}: no site is left to measure", path=path))
    return name, data.decode("utf-8-sig", "replace")


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_file(path, _LARGEST_KEY_FILE), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LocalFault(
            later("{path}: not a private key without a password (PEM): {error}", path=path, error=error)
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LocalFault(later("{path}: not a key of Ed25519", path=path))
    return key


__all__ = ["app", "kept_lists"]
