"""What Rozaneh says to people, in Persian and in English, and how it shows what others said.

A sentence is written once, in English, where it is said::

    words = Words.choose(lang)
    print(words.say("{service} is blocked on this network.", service="Instagram"))
    print(words.say_n("{n} way was tried.", "{n} ways were tried.", len(tried)))

- Messages are whole sentences; nothing is joined from fragments. ``mark`` names one that is said later.
- A number given as a number belongs to the prose, and gets Persian digits in Persian. What somebody will copy, compare
  or type elsewhere (a port, an address, a version) is given as text: it keeps its digits and stands in a Unicode
  isolate, so that a right-to-left line cannot tear it apart.
- What an exception says is written with ``later``: English where it is raised, and said again where a person reads it.
- Every text given as a value is foreign until :class:`Words` itself made it: control characters in it are shown, not
  obeyed.

The translations stand in ``locale/``; ``make words`` brings them up to date.
"""

from rozaneh.words.foreign import shown
from rozaneh.words.language import LANGUAGES, language
from rozaneh.words.sentences import Later, Said, Words, later, mark, text_of

__all__ = ["LANGUAGES", "Later", "Said", "Words", "language", "later", "mark", "shown", "text_of"]
