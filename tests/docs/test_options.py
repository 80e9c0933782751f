"""Every option of the command line stands on a page."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from lren_tf.cli.parser import make_parser

ROOT = Path(__file__).parents[2]


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)
        elif not isinstance(action, argparse._HelpAction):
            yield from (text for text in action.option_strings if text.startswith("--"))


def test_every_option_is_on_a_page():
    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    told = set(re.findall(r"--[a-z][a-z-]*", pages))
    listed = set(options(make_parser()))
    assert "--false-alarm-rate" in listed
    assert not listed - told
