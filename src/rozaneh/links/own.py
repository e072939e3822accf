"""A program of one's own as a way, ``exec:PROGRAM ARG...``: from what the device's owner typed, never from a link.

In the text each word is percent-encoded where it must be, so that a space or a ``|`` inside a word stays inside it.
The word ``{port}`` stands for the loopback port on which the program shall offer SOCKS5.
"""

import re
from pathlib import Path

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links import proxy, shadowsocks
from rozaneh.links.given import Given, Remark, given
from rozaneh.links.text import refuse_hidden
from rozaneh.links.url import decoded
from rozaneh.words import later

PORT = "{port}"

_TO_ESCAPE = re.compile(r"[%|\s]")
_MOST_WORDS = 64
_PLUGINS = {
    "obfs-local": "obfs-local",
    "simple-obfs": "obfs-local",
    "v2ray-plugin": "v2ray-plugin",
    "xray-plugin": "xray-plugin",
}


def program(words: list[str], *, name: str = "") -> Given:
    """The way that a program offers.

    Args:
        words: the program and its arguments; one of them holds ``{port}``.
        name: what to call it.

    Raises:
        SpecError: there is no program, no ``{port}``, or a control character.
    """
    check(words)
    text = "exec:" + " ".join(_TO_ESCAPE.sub(lambda each: f"%{ord(each.group()):02X}", word) for word in words)
    return Given(kind="exec", text=text, way=str(Spec((Element("exec", text.removeprefix("exec:")),))), name=name)


def words_of(argument: str) -> list[str]:
    """The program and its arguments, from the argument of an ``exec:`` element.

    Raises:
        SpecError: it is none.
    """
    words = [decoded(word) for word in argument.split(" ") if word]
    check(words)
    return words


def with_plugin(way: Given) -> Given:
    """A link that asks for a plugin, as a way that starts it: its owner has said yes. Any other way is unchanged.

    Raises:
        SpecError: the plugin is none that is known.
    """
    if Remark.NEEDS_PLUGIN not in way.remarks:
        return way
    link = shadowsocks.parse(way.text)
    name, options = plugin_of(link.plugin)
    bare = msgspec.structs.replace(link, plugin="").spec
    argument = _TO_ESCAPE.sub(lambda each: f"%{ord(each.group()):02X}", f"{name};{options}" if options else name)
    remarks = tuple(each for each in way.remarks if each is not Remark.NEEDS_PLUGIN)
    elements = (bare.elements[0] if bare is not None else Element("ss"), Element("plugin", argument))
    return msgspec.structs.replace(way, way=str(Spec(elements)), remarks=remarks)


def with_key(way: Given, file: Path) -> Given:
    """The link of an SSH server, as a way that logs in with a key of this device. Any other way is unchanged.

    Raises:
        SpecError: the file's name holds what no text here may hold.
    """
    if way.kind != "ssh":
        return way
    refuse_hidden(str(file))
    return given(msgspec.structs.replace(proxy.parse(way.text), key_file=str(file)))


def without_key(way: Given) -> Given:
    """A way as it may leave this device: it names no file of it. Any other way is unchanged.

    The path of a key says who its owner is, and is of no use to anybody else.
    """
    if way.kind != "ssh":
        return way
    link = proxy.parse(way.text, own=True)
    return given(msgspec.structs.replace(link, key_file="")) if link.key_file else way


def plugin_of(argument: str) -> tuple[str, str]:
    """The program and the options of a plugin, from a link's ``plugin=`` or an element's argument.

    Raises:
        SpecError: it is none that is known: a link must not choose any program of this machine.
    """
    name, _, options = decoded(argument).partition(";")
    program = _PLUGINS.get(name)
    if program is None:
        raise SpecError(
            later(
                "the plugin {name!r} is not known; expected one of {plugins}",
                name=name[:40],
                plugins=", ".join(_PLUGINS),
            )
        )
    refuse_hidden(options)
    return program, options


def check(words: list[str]) -> None:
    """Say what is wrong with an argument vector.

    Raises:
        SpecError: it cannot be run as a way.
    """
    if not 1 <= len(words) <= _MOST_WORDS or not words[0]:
        raise SpecError(
            later(
                "expected a program and at most {most} arguments, as in: {command}",
                most=_MOST_WORDS - 1,
                command=f"sslocal -b 127.0.0.1:{PORT}",
            )
        )
    if not any(PORT in word for word in words[1:]):
        raise SpecError(
            later("the program's arguments have to hold {port}, where the port for SOCKS5 is set in", port=PORT)
        )
    for word in words:
        refuse_hidden(word)
