"""The README for the package index; everything else is declared in setup.cfg.

Links of README.md that are relative to the repository become addresses, those of pictures too.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def long_description() -> str:
    """Text of the README in which every link works on any site."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = config["metadata"]["project_urls"].strip().splitlines()
    source = dict(line.split(" = ") for line in listed)["Source"]
    version_file = (ROOT / "lren_tf" / "version.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"', version_file, re.MULTILINE)

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link["picture"] else "blob"
        return f"{link['picture']}{link['text']}({source}/{kind}/v{version}/{link['path']})"

    relative = r"(?P<picture>!?)(?P<text>\[[^\]]*\])\((?![a-z]+:|#)(?P<path>[^)\s]+)\)"
    return re.sub(relative, absolute, (ROOT / "README.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    setup(
        long_description=long_description(),
        long_description_content_type="text/markdown",
    )
