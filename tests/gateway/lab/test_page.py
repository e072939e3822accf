"""A person in a censored home with one link from a friend: pasted into the page, it is in use at once."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from rozaneh.gateway import control
from tests.gateway.lab.home import BLOCKED, PROXY, UPSTREAM, Censored

pytestmark = pytest.mark.namespaces


def test_a_pasted_link_opens_what_was_closed(censored: Censored, tmp_path: Path) -> None:
    with censored("address-drop") as home:
        assert home.curl("-m", "2", *PROXY, BLOCKED)[0] != 0

        def page(*arguments: str) -> str:
            jar = str(tmp_path / "jar")
            return home.client.run([home.program, "-sS", "-m", "10", "-b", jar, "-c", jar, *arguments]).stdout

        answer = control.ask(tmp_path / "state", control.Question(ask="link"))
        assert answer is not None
        page(answer.link)
        base = answer.link.partition("/open/")[0]
        shown = page(f"{base}/en/status")
        token = re.search(r'name="token" value="([^"]+)"', shown)
        assert token is not None
        form = urlencode({"token": token[1], "links": UPSTREAM})
        page("-H", f"Origin: {base.rpartition('/')[0]}", "-d", form, f"{base}/en/add")
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        shown = page(f"{base}/en/status")
        assert "Through your server" in shown
        assert "Y2hhY2hhMjAt" not in shown + json.dumps(home.events)
