"""Fetch a page with Python's own HTTP client."""

import argparse
import sys
import urllib.error
import urllib.request


def options(parser: argparse.ArgumentParser) -> None:
    """``--timeout`` is per read."""
    parser.add_argument("--timeout", type=float, default=3.0)


def run(given: argparse.Namespace) -> str:
    """The status and the page; whatever breaks is raised as the library raises it."""
    try:
        with urllib.request.urlopen(given.target.geturl(), timeout=given.timeout) as answer:  # noqa: S310 - lab only
            body = answer.read(4096)
    except urllib.error.HTTPError as error:
        sys.stdout.write(f"HTTP {error.code}\n{error.read(4096).decode(errors='replace')}\n")
        return "answer"
    except urllib.error.URLError as error:
        if isinstance(error.reason, OSError):
            raise error.reason from error
        raise
    sys.stdout.write(f"HTTP {answer.status}\n{body.decode(errors='replace')}\n")
    return "answer"
