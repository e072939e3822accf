"""Search: everything that has a page, by any of its names, however it is typed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from rozaneh.observatory.dashboard.addresses import of_service
from rozaneh.observatory.names import country_name, network_name, service_name
from rozaneh.words import Said, Words
from rozaneh.words.foreign import shown

if TYPE_CHECKING:
    from rozaneh.observatory.dashboard.site import Site

_HITS: Final = 200


def search(site: "Site", words: Words, asked: str) -> dict[str, object]:
    """What is called as was asked; everything, where nothing was."""
    wanted = _plain(asked)
    hits = [
        {"page": entry.page, "name": entry.name, "kind": entry.kind}
        for entry in _everything(site, words)
        if not wanted or any(wanted in _plain(key) for key in (*entry.also, entry.name))
    ]
    return {
        "title": words.say("Search"), "form": site.interactive, "asked": shown(asked),
        "hits": hits[:_HITS] if asked or not site.interactive else [],
    }  # fmt: skip


class _Entry(NamedTuple):
    """Something that can be searched for, and what else it is called."""

    page: str
    name: Said
    kind: Said
    also: tuple[str, ...]


def _everything(site: "Site", words: Words) -> Iterator[_Entry]:
    tongue, english = words.language, site.words["en"]
    for code in sorted(site.countries):
        place = country_name(code, words)
        yield _Entry(f"{tongue}/{code}/index.html", place, words.say("country"), (code, country_name(code, english)))
        for asn in site.networks(code):
            also = (network_name(code, f"AS{asn}", english),)
            yield _Entry(f"{tongue}/{code}/AS{asn}.html", network_name(code, f"AS{asn}", words), place, also)
        for subject in site.subjects(code):
            name, names = service_name(subject, words), (subject, service_name(subject, english))
            yield _Entry(of_service(tongue, code, subject), name, place, names)


def _plain(text: str) -> str:
    """For comparing: Arabic letters as Persian ones, digits as Latin ones, no joiners, no case."""
    return text.translate(_AS_PERSIAN).casefold().strip()


_AS_PERSIAN: Final = str.maketrans(
    "\u064a\u0643\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669",
    "\u06cc\u06a901234567890123456789",
    "\u200c\u200d\u2068\u2069",
)
