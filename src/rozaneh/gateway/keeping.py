"""Fetching what a user wants to have before a cut: a list of pages and files, into a folder of theirs, within a bound.

It goes by whatever way the finder finds, as every connection does. A file is written beside its place and moved there,
so that what was there before stays until the new one is whole.
"""

import contextlib
import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import anyio
import msgspec

from rozaneh.codecs.http1 import Body, End, Exchange, Head, redirected
from rozaneh.core import DialFailed, Failure, LocalFault, RemoteFault, Target, TargetError
from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.private import private_folder
from rozaneh.finder import Finder, Found
from rozaneh.gateway.policy import is_local
from rozaneh.net import ByteStream, Deadlines, Trace, measure
from rozaneh.net.exchange import HEADERS, host_header
from rozaneh.net.streams import receive_or_nothing
from rozaneh.net.tls import start_tls
from rozaneh.net.trace import NETWORK_ERRORS, dial_failed
from rozaneh.net.trust import Trust
from rozaneh.words import later, text_of

__all__ = ["Keeper", "Kept", "checked", "read_list"]

_MOST = 200
_LONGEST_LIST = 1 << 18
_HOPS = 5
_LONGEST = 2000
_PATIENCE = 300.0
_UNFIT = re.compile(r"[^A-Za-z0-9.]+")
_MOVED = {301, 302, 303, 307, 308}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one entry.

    Attributes:
        url: the entry.
        file: where it is kept; empty where it could not be had.
        size: its bytes.
        failed: why not, in one line.
    """

    url: str
    file: str = ""
    size: int = 0
    failed: str = ""


@dataclass(frozen=True)
class Keeper:
    """Fetches a list.

    Attributes:
        finder: makes the connections.
        trust: whom TLS believes.
        urls: the list.
        folder: where to.
        most: bytes of all of it together.
        allow_local: whether entries on this machine and its network may be fetched.
    """

    finder: Finder
    trust: Trust
    urls: tuple[str, ...]
    folder: Path
    most: int
    allow_local: bool = False

    def with_more(self, urls: Iterable[str]) -> Self:
        """One that fetches these as well.

        Raises:
            LocalFault: they are too many.
        """
        together = tuple(dict.fromkeys((*self.urls, *urls)))
        if len(together) > _MOST:
            raise LocalFault(later("at most {most} addresses are kept", most=_MOST))
        return dataclasses.replace(self, urls=together)

    async def fetch(self, urls: Iterable[str] | None = None) -> list[Kept]:
        """Fetch one after another, small or large as they come, until the bound is reached.

        Args:
            urls: some of the list; all of it when not given.
        """
        kept: list[Kept] = []
        for url in self.urls if urls is None else urls:
            left = self.most - sum(each.size for each in kept)
            try:
                with anyio.fail_after(_PATIENCE):
                    file, size = await self._one(url, left)
            except (DialFailed, TargetError, LocalFault, RemoteFault, TimeoutError) as error:
                kept.append(Kept(url=url, failed=str(error) or "it took too long"))
            except OSError as error:
                kept.append(Kept(url=url, failed=error.strerror or str(error)))
            else:
                kept.append(Kept(url=url, file=str(file), size=size))
        return kept

    async def _one(self, url: str, most: int) -> tuple[Path, int]:
        private_folder(self.folder)
        path = self.folder / _name(url)
        fresh = path.with_name(path.name + ".part")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                size = await self._follow(url, _Sink(file.write, most))
            fresh.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
        return path, size

    async def _follow(self, url: str, sink: "_Sink") -> int:
        for _ in range(_HOPS):
            target = Target.parse(url)
            if target.speaks not in ("http", "https") or (is_local(target) and not self.allow_local):
                raise LocalFault(later("it leads to no public page"))
            exchange = partial(sink.get, target=target, trust=self.trust)
            measured = await measure(Found(self.finder), target, exchange=exchange, deadlines=Deadlines())
            await measured.aclose()
            if not measured.ok:
                raise DialFailed(measured.failure or Failure.UNKNOWN_FAILURE, measured.detail)
            if sink.status not in _MOVED or not sink.location:
                break
            url = _leads(url, sink.location)
        if sink.status != 200:
            raise LocalFault(later("the site answers with status {status!s}", status=sink.status))
        return sink.size


@dataclass
class _Sink:
    """Takes the body of an answer."""

    write: Callable[[bytes], object]
    most: int
    size: int = 0
    status: int = 0
    location: str = ""

    async def get(self, stream: ByteStream, trace: Trace, target: Target, trust: Trust) -> None:
        try:
            if target.speaks == "https":
                stream = await start_tls(stream, trace, trust, target.host, peer=target.authority, alpn=("http/1.1",))
            request = Exchange("GET", target.path, host_header(target), headers=HEADERS)
            await stream.send(request.request)
            while not self._take(request, await receive_or_nothing(stream)):
                pass
        except NETWORK_ERRORS as error:
            raise dial_failed(error) from error

    def _take(self, request: Exchange, data: bytes) -> bool:
        for event in request.receive(data):
            match event:
                case Head():
                    self.status, self.location = event.status, event.header("location")[:2000]
                case Body() if self.status == 200:
                    self.size += len(event.data)
                    if self.size > self.most:
                        raise DialFailed(Failure.UNKNOWN_FAILURE, "more than the bytes that were allowed")
                    self._keep(event.data)
                case End():
                    return True
        if not data:
            raise DialFailed(Failure.EOF_ERROR, "the answer ends in the middle")
        return False

    def _keep(self, data: bytes) -> None:
        try:
            self.write(data)
        except OSError as error:  # a full disk is no failure of the network
            raise LocalFault(later("cannot be written: {why}", why=error.strerror)) from error


def checked(urls: Iterable[str]) -> tuple[str, ...]:
    """Addresses as a person has given them, with the scheme in small letters: phones write ``Https://``.

    Raises:
        LocalFault: one of them is none, or leads to no public page.
    """
    return tuple(_checked(url.strip()) for url in urls)


def _checked(url: str) -> str:
    try:
        target = Target.parse(url)
    except TargetError as error:
        raise LocalFault(text_of(error)) from error
    scheme, colon, rest = url.partition("://")
    if not colon or target.speaks not in ("http", "https") or len(url) > _LONGEST or is_local(target):
        raise LocalFault(
            later("expected an address of a public page such as https://example.org/, not {url!r}", url=url[:60])
        )
    return f"{scheme.lower()}{colon}{rest}"


def read_list(path: Path) -> tuple[str, ...]:
    """The addresses in a file, one on each line; those that begin with ``#`` are passed over.

    Raises:
        LocalFault: it cannot be read, or holds one that is none, or too many.
    """
    try:
        lines = read_ordinary(path, _LONGEST_LIST).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise LocalFault(later("cannot read the list in {path}: {why}", path=path, why=error.strerror)) from error
    except UnicodeDecodeError as error:
        raise LocalFault(later("cannot read the list in {path}: it is no text in UTF-8", path=path)) from error
    urls = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            urls.append(_checked(text))
        except LocalFault as fault:
            raise LocalFault(later("{path}, line {number}: {fault}", path=path, number=number, fault=fault)) from fault
    if len(urls) > _MOST:
        raise LocalFault(
            later("{path} names {urls} addresses; at most {most} are fetched", path=path, urls=len(urls), most=_MOST)
        )
    return tuple(dict.fromkeys(urls))


def _leads(url: str, location: str) -> str:
    """Where a redirection leads; one that was made over TLS is not followed into the clear."""
    try:
        found = redirected(url, location)
    except ValueError:
        raise LocalFault(later("it leads to no public page")) from None
    if url.startswith("https://") and not found.startswith("https://"):
        raise LocalFault(later("it leads to a page that would be fetched in the clear"))
    return found


def _name(url: str) -> str:
    """The name of a file: readable, harmless, and another one for another address."""
    plain = _UNFIT.sub("-", url.partition("://")[2].partition("?")[0]).strip("-.")[:80] or "page"
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{plain}"
