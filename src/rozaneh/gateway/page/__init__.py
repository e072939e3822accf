"""The status page: what a person sees of the gateway in a browser of the same machine, and the few things to press.

Four parts, of which only the last waits for anything. :mod:`~rozaneh.gateway.page.request` reads one bounded request;
:mod:`~rozaneh.gateway.page.guard` says whether its sender may have what it asks for; :mod:`~rozaneh.gateway.page.views`
turns the gateway's state into a page; :mod:`~rozaneh.gateway.page.server` holds the sockets.

The page is a file without a script, without a picture and without a word from anywhere else. It has a port of its own:
a proxy port that also served pages would give them to whoever may use the proxy.
"""
