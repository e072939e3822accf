"""Pages that people read: what is blocked in a country, since when, and how well that is known.

Theory of operation. ``figures`` asks the store's tables, through Ibis, for a few hundred rows at most, as plain
structs. ``withhold`` blanks every cell that too few measurements or sources stand behind, *before* anything is drawn or
exported, so that no page, feed or file can show what another one hides. ``site`` knows which addresses exist
(``addresses`` how they are written) and makes the bytes of each: HTML from ``templates``, SVG from ``charts``, and the
exports. ``serve`` answers requests with it and
``publish`` writes the same addresses into a directory: a published site and a served one show the same.

A page is one file. Its style is inside, named by its hash in the content policy; it runs no script, and asks no other
host for anything, so that it also works from a USB stick. Whatever others wrote (names, titles, addresses) is escaped
by the templates and shown without being obeyed.
"""
