"""Whether a page can be read and worked by everybody, asked of a real browser: WCAG 2.2, AA, what of it can be counted.

Contrast of each text with what lies behind it (1.4.3), of what else has to be seen (1.4.11), no sideways scrolling of
the page (1.4.10), names of whatever is pressed (4.1.2), a visible focus (2.4.7) in the order of the page (2.4.3),
targets of at least 24 by 24 CSS pixels (2.5.8), languages (3.1.1), pictures with a text (1.1.1), tables and headings
(1.3.1).
"""

from itertools import pairwise
from pathlib import Path

from selenium.webdriver import Chrome, Keys

_LEAST_TEXT = 11.5
"""CSS pixels of the smallest text."""

_READ = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_SHADES = """
const paint = (of, what) => getComputedStyle(document.querySelector(of))[what];
return [[0, 1, 2, 3, 4, 5].map(n => paint(".key .s" + n, "fill")),
  paint("svg.heat .few", "fill"), paint("#few .hatch", "fill"), paint("#few path", "stroke"),
  paint("svg.timeline .paper", "fill"), paint("svg .bar", "fill")];
"""


def complaints(browser: Chrome, width: int, height: int) -> list[str]:
    """What is wrong with the page that is shown, on a screen of this size in CSS pixels."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})  # whichever window has it
    found: list[str] = browser.execute_script(_READ, _LEAST_TEXT)
    return found


def tabbed(browser: Chrome) -> list[int]:
    """Where the Tab key leads, from the top of the page to its end: places among all elements."""
    places: list[int] = []
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = false); scrollTo(0, 0)")
    while len(places) < 200:
        browser.switch_to.active_element.send_keys(Keys.TAB)
        at = browser.execute_script("return [...document.querySelectorAll('*')].indexOf(document.activeElement)")
        if browser.execute_script("return document.activeElement === document.body") or (places and at <= places[0]):
            break
        places.append(at)
    return places


def charts_hold_in_grey(browser: Chrome) -> None:
    """Shades of a map of hours go from light to dark in steps that can be seen, and what is not known is no shade.

    A scale of a measurement is left out of 1.4.11 because its steps cannot all be that far apart; light and dark
    halves are, and the hatching and the bars are, from what lies behind them.
    """
    shades, unknown, *pairs = browser.execute_script(_SHADES)
    lights = [_light(shade) for shade in shades]
    steps = [(above + 0.05) / (below + 0.05) for above, below in pairwise(lights)]
    assert min(steps) > 1.25, steps
    assert (lights[1] + 0.05) / (lights[3] + 0.05) >= 3, "at least half failed, or a third at the most"
    assert unknown.startswith("url("), "what is not known is hatched"
    ground, hatch, paper, bar = map(_light, pairs)
    assert (ground + 0.05) / (hatch + 0.05) >= 3
    assert (paper + 0.05) / (bar + 0.05) >= 3


def _light(colour: str) -> float:
    """Relative luminance."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
