"""A country of simulated people who measure, through a timeline of censorship, with the truth beside what they send.

A timeline (TOML) says which networks and services there are, what was done to whom from when to when, and who lies.
:func:`simulate` plays it hour by hour: people are drawn, each on a network and with one of the usual apps; what they
see follows from what is in force there then; their measurements are written in OONI's format, into the file of the day
on which a collector would get them, late ones late. ``labels.json`` beside them is the timeline as events,
and :func:`score` holds events that somebody found against it.

The measurements are made from what the timeline says, never from what detectors look for, and the same seed gives the
same bytes.
"""

from rozaneh.lab.country.scoring import Score, read_events, read_labels, score
from rozaneh.lab.country.simulate import Made, simulate
from rozaneh.lab.country.timeline import Timeline, load_timeline, timeline_names

__all__ = [
    "Made",
    "Score",
    "Timeline",
    "load_timeline",
    "read_events",
    "read_labels",
    "score",
    "simulate",
    "timeline_names",
]
