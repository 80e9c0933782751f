"""Requirements of `make test-oldest`: the lowest versions that setup.cfg promises its users.

``python -m tests.oldest`` prints them as pip reads them. Tools of the extra `dev` alone, such as
pytest, are no promise: the newest that go with the others serve.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

SETUP = Path(__file__).parents[1] / "setup.cfg"


def name_of(line: str) -> str:
    """Name of the package of a requirement."""
    return Requirement(line).name


def requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    """Requirements of an entry of setup.cfg, without those of other systems."""
    for line in lines:
        if line.strip():
            yield Requirement(line)


def lowest(text: str) -> list[str]:
    """Lines of a requirements file with the lower bounds of a setup.cfg.

    Args:
        text: content of setup.cfg. Every requirement of users has one lower bound.
    """
    config = configparser.ConfigParser()
    config.read_string(text)
    extras = dict(config["options.extras_require"])
    tools = extras.pop("dev").splitlines()
    extras.pop("gpu")  # the packages of TensorFlow itself
    users = [config["options"]["install_requires"], *extras.values()]
    pinned: dict[str, str] = {}
    for required in requirements(line for entry in users for line in entry.splitlines()):
        (bound,) = (spec.version for spec in required.specifier if spec.operator == ">=")
        marker = f"; {required.marker}" if required.marker else ""
        named = f"[{','.join(sorted(required.extras))}]" if required.extras else ""
        pinned[required.name] = f"{required.name}{named}=={bound}{marker}"
    # A tool can need a pinned package with an extra, such as pystac's validation; pip joins both.
    return [
        *pinned.values(),
        *(line for line in tools if line and (name_of(line) not in pinned or "[" in line)),
    ]


if __name__ == "__main__":
    print("\n".join(lowest(SETUP.read_text(encoding="utf-8"))))
