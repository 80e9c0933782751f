"""A page for each detector, from `docs/detectors.md` and its docstring; the gallery."""

from __future__ import annotations

import re

from experiments.rendering.site.pictures import SCENES, own_detectors
from experiments.rendering.site.repository import ROOT, WIDE, rewritten
from lren_tf import detectors

GUIDE = "docs/detectors.md"


def names() -> list[str]:
    """Detectors that have a page."""
    return own_detectors()


def section(title: str) -> str:
    """What the guide says of a detector, without the heading."""
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    found = re.search(rf"\n## {re.escape(title)}\n(.*?)(?=\n## |\Z)", text, re.DOTALL)
    assert found is not None, f"{GUIDE} has no section {title}"
    return found[1].strip()


def page(name: str) -> str:
    """Markdown of the page of a detector."""
    made = detectors.detector_class(name)
    said = rewritten(section(made.title), GUIDE, f"detectors/{name}.md")
    scene = next(iter(SCENES))
    return f"""# {made.title}

```python
detector = lren_tf.detectors.create("{name}")
```

{said}

## On a simulated scene

![Pseudo-colour image, truth and score map of {made.title}](../pictures/{name}.png)

The scene “{scene}” of the [gallery](../gallery.md), with the defaults.

## In full

::: {made.__module__}.{made.__qualname__}
    options:
      heading_level: 3
      filters: ["!^_", "!^(name|title|stochastic|spatial|streams|takes_background)$"]
"""


def picture(name: str, says: str) -> str:
    """A picture that leads to itself in full size."""
    file = f"pictures/{name}.png"
    return f"[![{says}]({file})]({file})"


def gallery() -> str:
    """Markdown of the gallery."""
    first = next(iter(SCENES))
    return f"""{WIDE}# Gallery

Pictures that the build of this site makes with the package, on simulated scenes
(`lren_tf.datasets.simulate`) with the defaults of every detector. They show what figures look like,
not how good a detector is: that is measured on [real scenes](reproduction.md).

## Every detector on one scene

Colours are decades of the estimated false-alarm rate, so that maps can be compared.

{picture("every_detector", f"“{first}”: pseudo-colour, truth, the map of every detector")}

`lren_tf.plots.detection_grid`; each detector has [its own page](detectors.md).

## Three scenes

Targets that fill their pixels, targets that fill a tenth to a third of one, and much noise.

{picture("scenes", "Maps of five detectors on three scenes")}

## Curves

{picture("roc", "Detection probability over false-alarm probability")}

`lren_tf.plots.roc_grid`. The axis of false alarms is logarithmic: operators work in its left half.

{picture("separability", "Boxes of the scores of background and targets")}

`lren_tf.plots.separability_grid`: the scores of background and of targets, between their 10th and
90th percentiles.

## A score map and its detections

{picture("score", "Score map of the preset robust")}

`lren_tf.plots.score_map`

{picture("mask", "Pseudo-colour, truth, score and mask")}

`lren_tf.plots.detection_panel`, at one false alarm in a hundred pixels of background.

## The page of a detection

The page that `--view` writes and `lren_tf.view` shows in a notebook; try the slider, and click on a
pixel. [The guide](view.md) explains it; [this version](pictures/view.html) fills the window.

<iframe class="page-frame" src="pictures/view.html" title="Detections of RX"></iframe>
"""
