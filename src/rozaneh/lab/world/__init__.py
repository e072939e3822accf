"""All servers of the lab, in one asyncio process.

A socket belongs for ever to the network namespace in which it was made, so one process can stand on every host at once:
:mod:`.sockets` makes each socket inside its host, and everything above only sees addresses. The same servers stand on
loopback addresses in the tier that needs no privileges.

What stands where is data (``world.toml``, read by :mod:`rozaneh.lab.topology`). A service's ``kind`` names its server:

=================  ==================================================================================================
kind               what it is, its own ports, and its options
=================  ==================================================================================================
``web``            HTTP on 80, HTTPS on 443, HTTP/3 on 443/udp. ``redirect`` (80 leads to HTTPS), ``http3`` (true),
                   ``first_byte_ms``, ``rate`` (bytes/s), ``certificate`` (another name), ``issuer`` (an authority
                   that nobody trusts), ``tls_version`` (``1.2``), ``refuse`` (``403``, ``451``, ``reset``, ``alert``:
                   to the country's addresses alone)
``resolver``       DNS on 53 UDP and TCP, DoT on 853, DoH on 443
``plain-resolver`` DNS on 53 UDP and TCP
``block-page``     the page to which forged answers lead, on 80
``socks5``         on 1080; ``user`` and ``password``
``https-proxy``    HTTP CONNECT inside TLS on 443; ``user`` and ``password``; anything else gets a web page
``shadowsocks``    on 8388; ``method`` and ``password``
``shadowsocks-2022`` on 8390; ``method`` and ``key``
``ssh``            forwards connections, on 22; ``user`` and ``password``
``trojan``         inside TLS on 443; ``password``; anything else gets a web page
``vless``          inside WebSocket and TLS on 443; ``user`` and ``path``; anything else gets a web page
``echo``           sends back what it gets, TCP and UDP, on 7
``banner``         says ``text`` and a line end first, as SSH does, on 22
``opaque``         takes bytes, answers once with as many bytes that mean nothing: MTProto, Noise, obfs4; on 443
``tls``            a TLS handshake, then as ``opaque``; ``certificate``, ``issuer``; on 443
``wireguard``      answers a handshake initiation of the right form, on 51820/udp
``openvpn``        answers a hard reset, on 1194 UDP and TCP
``collector``      takes measurements in OONI's protocol and shows on ``/collected`` what it has taken, on 443
``helper``         the control vantage: dials what it is asked to and tells what it saw, on 443
``silence``        answers nothing at all, not even that nobody is there, on 443
``terminator``     ends TLS for any name under a certificate of the state, and passes the content on, on 443;
                   ``issuer`` and ``tls_version`` (``1.2``)
=================  ==================================================================================================

These are test fixtures that behave like the real thing on the wire. They share no parser with the product's codecs, so
that one mistake cannot hide on both sides.
"""
