"""Names of the scenes and tables as pages and figures print them."""

from __future__ import annotations

SCENES = {"sandiego": "SanDiego", "hydice": "Hydice", "coast": "Coast", "pavia": "Pavia"}
"""The paper's names, in its order."""
ODDS = {"thyroid": "Thyroid", "arrhythmia": "Arrhythmia"}
"""Tables of the ODDS library."""


def scene_title(scene: str) -> str:
    """Return the paper's name of a scene or table; the simulated scene says that it is one."""
    return (SCENES | ODDS).get(scene, f"{scene} (not a real scene)")
