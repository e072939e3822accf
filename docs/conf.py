"""How Sphinx builds the documentation: Markdown pages, no theme from outside, every warning an error in the gate."""

from rozaneh import __version__

project = "Rozaneh"
author = "the Rozaneh contributors"
copyright = "2026, the Rozaneh contributors"
release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
html_theme = "alabaster"
html_theme_options = {"description": "See what is blocked; find the way; prove it in a lab."}
