"""``python -m rozaneh.cli``: the same as ``rozaneh``, where the scripts of the environment are not on the path."""

from rozaneh.cli.main import main

main()
