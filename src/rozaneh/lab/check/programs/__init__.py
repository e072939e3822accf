"""Small programs for what curl and dig cannot do: ``python -m rozaneh.lab.check.programs NAME TARGET [OPTIONS]``.

They run inside a host of the lab, on plain sockets and the standard library (``h3`` alone needs aioquic), and share no
code with the product: one bug must not hide on both sides. Each prints what it saw and, in the last line,
``outcome: WORD``.
"""
