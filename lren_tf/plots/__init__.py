"""Every figure, from plain arrays: maps, ROC curves, separability, sensitivity, spread.

Higher score = more anomalous, everywhere. Each function returns a matplotlib ``Figure`` on the
Agg canvas: no display is needed, nothing global is touched, and the caller decides whether to
`save` it, show it in a notebook or add to it.
"""

from lren_tf.plots.boxes import separability, separability_grid
from lren_tf.plots.costs import auc_against_seconds
from lren_tf.plots.curves import PF_FLOOR, pf_tau_curves, pf_tau_grid, roc_curves, roc_grid
from lren_tf.plots.heatmap import sensitivity_heatmap
from lren_tf.plots.maps import DECADES, LINEAR, detection_grid, detection_panel, score_map
from lren_tf.plots.saving import save, save_pixels
from lren_tf.plots.spread import band_grid, strip_plot
from lren_tf.plots.style import (
    ANOMALY_COLOUR,
    BACKGROUND_COLOUR,
    COLOURS,
    DECADES_LABEL,
    DPI,
    LINE_STYLES,
    NO_DATA_COLOUR,
    SCORE_LABEL,
    UNIT_SCORE_LABEL,
)

__all__ = [
    "ANOMALY_COLOUR",
    "BACKGROUND_COLOUR",
    "COLOURS",
    "DECADES",
    "DECADES_LABEL",
    "DPI",
    "LINEAR",
    "LINE_STYLES",
    "NO_DATA_COLOUR",
    "PF_FLOOR",
    "SCORE_LABEL",
    "UNIT_SCORE_LABEL",
    "auc_against_seconds",
    "band_grid",
    "detection_grid",
    "detection_panel",
    "pf_tau_curves",
    "pf_tau_grid",
    "roc_curves",
    "roc_grid",
    "save",
    "save_pixels",
    "score_map",
    "sensitivity_heatmap",
    "separability",
    "separability_grid",
    "strip_plot",
]
