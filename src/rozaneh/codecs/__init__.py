"""Parsers and builders of protocols: bytes in, values and bytes out. Nothing here waits or opens a socket."""
