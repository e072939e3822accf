"""Many measurements together: files in; observations, verdicts, hours and events out.

Theory of operation. ``ingest`` reads files of OONI's format line by line and writes *observations*: one row for each
dial, joined with what the control saw. Rows say what happened and depend on no rule. ``judge`` reads observations
alone, computes the facts of :mod:`rozaneh.diagnosis` as boolean columns, and lets the same rules decide; so all
history can be judged again without the files that it came from. Verdicts are counted by hour, and the hours are what
events are found in; hours are counted by day, which is what pages ask. Every table is Parquet, below one directory, the
store (:mod:`rozaneh.observatory.schema`).

Two things can be lost to a power cut or ``kill -9``: work that was not finished, and time. Files enter the store by
renaming, after a ledger has noted what is to be renamed; what the ledger did not note is swept away, and what it noted
is done again. A measurement that comes twice is kept once, so doing it again changes nothing.

Input is written by strangers. Each line is bounded, each bad one is set aside with its reason, and no field of it ever
becomes part of a query's text. This room opens no connection.
"""
