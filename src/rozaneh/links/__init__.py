"""Links, bridge lines and lists of ways: text in, ways out, and the same text out again. Pure; nothing is dialled.

One module for each format, with a struct of what a link says, a ``parse`` and a ``__str__``; parsing what was printed
gives the same struct. :func:`parse` reads one line of any format, :func:`read` a whole file or subscription of them.

What holds for all of them: a line has at most 8 KiB; control and direction characters are refused; spaces, ZWNJ and the
numbering of a list around a link are taken off, nothing inside it is changed; a host is an IP address or a name, a port
is 1 to 65535; a setting that is not known is kept and shown, and nothing obeys it. Nothing that is read can start a
program: ``exec:`` is refused, a plugin is only remarked upon, and a WireGuard file with commands is refused as a whole.
"""

from rozaneh.links.given import Given, Remark, given, parse
from rozaneh.links.refused import Kind
from rozaneh.links.subscription import LONGEST_FILE, Wrong, read

__all__ = ["LONGEST_FILE", "Given", "Kind", "Remark", "Wrong", "given", "parse", "read"]
