"""Keeps the translations: ``make words`` brings them up to date, ``--check`` says what is missing.

Messages come from three places: the calls of ``say``, ``say_n``, ``mark`` and ``later`` in the source and in templates
of pages, and the help texts of the tree of commands. Translations come from the catalogue itself and from any ``.po``
files named on the command line.
"""

import argparse
import io
import string
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import typer
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from typer.main import get_command

from rozaneh.cli.help import visit
from rozaneh.cli.main import COMMANDS, overview
from rozaneh.diagnosis import layer_rules, rules

_SOURCE = Path(__file__).parent.parent / "src" / "rozaneh"
_PO = _SOURCE / "words" / "locale" / "fa" / "LC_MESSAGES" / "rozaneh.po"
_KEYWORDS = {"say": (1,), "say_n": (1, 2), "mark": (1,), "later": (1,)}
_ARABIC = "\u064a\u0643"  # yeh and kaf as Arabic writes them; Persian has its own
_BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_BEGINNING = 24
"""Characters of a translation that come once; a tool that fills in translations has set one ten times."""
_HEADER = "# Persian for Rozaneh. Written by `make words`; translations are edited here by hand."

Id = str | tuple[str, str]


def messages() -> Iterator[tuple[Id, str]]:
    """Every message and the file it stands in; the same message may come from several."""
    for path, _line, message, _comments, _context in extract_from_dir(
        _SOURCE, method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")], keywords=_KEYWORDS
    ):
        yield (message if isinstance(message, str) else (message[0], message[1])), f"src/rozaneh/{path}"
    for name, known in (("rules", rules()), ("layers", layer_rules())):
        for rule in known:
            yield rule.because, f"src/rozaneh/diagnosis/{name}.toml"
    for text in _helps(overview()):
        yield text, "src/rozaneh/cli/main.py"
    for name in COMMANDS:
        if find_spec(f"rozaneh.cli.{name}"):
            for text in _helps(import_module(f"rozaneh.cli.{name}").app):
                yield text, f"src/rozaneh/cli/{name}.py"


def _helps(app: typer.Typer) -> list[str]:
    helps: list[str] = []

    def note(text: str) -> str:
        helps.append(text)
        return text

    visit(get_command(app), note)
    return helps


def catalogue(sources: list[Path]) -> Catalog:
    """The catalogue of all messages, with the translations that the files hold; earlier files win."""
    then = datetime(2026, 1, 1, tzinfo=UTC)  # no date of today: the same source gives the same bytes
    made = Catalog(
        locale="fa",
        project="Rozaneh",
        version="-",
        header_comment=_HEADER,
        msgid_bugs_address="-",
        last_translator="-",
        language_team="Persian",
        creation_date=then,
        revision_date=then,
        fuzzy=False,
    )
    known: dict[str, Message] = {}
    for source in sources:
        for message in read_po(io.BytesIO(source.read_bytes()), locale="fa"):
            if message.id and message.string and any(message.string) and not message.fuzzy:
                known.setdefault(_key(message.id), message)
    for identity, path in sorted(messages(), key=lambda found: (found[1], _key(found[0]))):
        old = known.get(_key(identity))
        translated = old.string if old and isinstance(old.string, str) == isinstance(identity, str) else None
        made.add(identity, translated, locations=[(path, 0)])
    return made


def rendered(made: Catalog) -> tuple[bytes, bytes]:
    """The ``.po`` and the ``.mo`` of a catalogue."""
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, made, width=120, include_lineno=False)
    write_mo(mo, made)
    return po.getvalue(), mo.getvalue()


def findings(made: Catalog) -> Iterator[str]:
    """What is wrong with the translations, one line each."""
    for message in made:
        if not message.id:
            continue
        name = _key(message.id)
        said = [message.string] if isinstance(message.string, str) else list(message.string or ())
        if not said or not all(said):
            yield f"not translated: {name!r}"
            continue
        english = message.id if isinstance(message.id, str) else message.id[1]
        asked = _places(english)
        for text in said:
            if _whole(english) and not _whole(text):
                yield f"the translation of {name!r} is cut off: it has a brace alone"
                continue
            if _places(text) - asked or (isinstance(message.id, str) and asked - _places(text)):
                yield f"{name!r} has the places {sorted(asked)}, its translation {sorted(_places(text))}"
            if wrong := sorted({f"U+{ord(c):04X}" for c in text if c in _ARABIC + _BIDI}):
                yield f"the translation of {name!r} has {', '.join(wrong)}"
            if len(text) > _BEGINNING and text.count(text[:_BEGINNING]) > 1:
                yield f"the translation of {name!r} says the same again"


def _key(identity: str | tuple[str, ...] | list[str]) -> str:
    return identity if isinstance(identity, str) else identity[0]


def _whole(text: str) -> bool:
    """Whether every brace of the text has its partner; a help text may show braces, and is never formatted."""
    try:
        return bool([*string.Formatter().parse(text)])
    except ValueError:
        return False


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None} if _whole(text) else set()


def main() -> int:
    """Bring the translations up to date, or say what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if anything is missing or stale")
    parser.add_argument("more", nargs="*", type=Path, help="files with further translations")
    options = parser.parse_args()
    made = catalogue([_PO, *options.more])
    po, mo = rendered(made)
    wrong = list(findings(made))
    if options.check:
        compiled = _PO.with_suffix(".mo")
        if po != _PO.read_bytes() or not compiled.exists() or mo != compiled.read_bytes():
            wrong.append("the catalogue is not what the source says: run `make words`")
    else:
        _PO.write_bytes(po)
        _PO.with_suffix(".mo").write_bytes(mo)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
