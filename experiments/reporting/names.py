"""Names of the scenes and tables as pages and figures print them."""

from __future__ import annotations

from lren_tf import datasets

SCENES = {"sandiego": "SanDiego", "hydice": "Hydice", "coast": "Coast", "pavia": "Pavia"}
"""The paper's names, in its order."""
ODDS = {"thyroid": "Thyroid", "arrhythmia": "Arrhythmia"}
"""Tables of the ODDS library."""

FURTHER = {name: entry.title for name, entry in datasets.FURTHER.items()}
"""Scenes that the paper does not have."""


def scene_title(scene: str) -> str:
    """Return the name of a scene or table; a simulated scene says that it is one."""
    return (SCENES | ODDS | FURTHER).get(scene, f"{scene} (not a real scene)")
