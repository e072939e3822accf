"""Real programs in a scenario: does the lab show them what the scenario says?

A scenario's ``client`` expectations name a program and its arguments; :func:`rozaneh.lab.check.runner.run` runs it in a
home of its own, first without the scenario (it must work) and then with it, reads what it printed and compares. Where
a program knows too little of the network (two DNS answers in a row, a hello without a handshake) a small one of our own
in :mod:`rozaneh.lab.check.programs` does it, on plain sockets and without the product's code.
"""
