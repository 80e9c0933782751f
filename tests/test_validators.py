"""Text from a command line as a value of the type of its setting."""

from __future__ import annotations

from typing import Optional

import pytest

from lren_tf.validators import parse


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", int, 5), ("1e3", int, 1000.0), ("-2", int, -2), ("many", int, "many"),
        ("5", float, 5.0), ("1e-2", float, 0.01), ("none", float, "none"),
        ("None", int | None, None), ("none", Optional[float], None),  # noqa: UP045
        ("7", int | None, 7), ("0.5", float | None, 0.5),
        ("true", bool, True), ("FALSE", bool, False), ("1", bool, "1"), ("yes", bool, "yes"),
        ("none", bool | None, None), ("True", bool | None, True),
        ("5", str, "5"), ("none", str, "none"), ("true", str, "true"), ("none", str | None, None),
    ],
)  # fmt: skip
def test_text_is_read_as_its_type(text, kind, value):
    got = parse(text, kind)
    assert got == value
    assert type(got) is type(value)
