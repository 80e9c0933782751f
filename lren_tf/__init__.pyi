from lren_tf import datasets as datasets
from lren_tf import detectors as detectors
from lren_tf import explain as explain
from lren_tf import io as io
from lren_tf import plots as plots
from lren_tf.errors import InputError as InputError
from lren_tf.errors import TrainingDiverged as TrainingDiverged
from lren_tf.evaluation import metrics as metrics
from lren_tf.evaluation.detections import find_detections as find_detections
from lren_tf.evaluation.threshold import threshold_at as threshold_at
from lren_tf.io import Scene as Scene
from lren_tf.io import load_map as load_map
from lren_tf.io import load_scene as load_scene
from lren_tf.io import save_map as save_map
from lren_tf.low_rank.solve import LowRankResult as LowRankResult
from lren_tf.low_rank.solve import solve_low_rank as solve_low_rank
from lren_tf.model.lren import LREN as LREN
from lren_tf.settings import Settings as Settings
from lren_tf.training.callbacks import EpochLog as EpochLog
from lren_tf.version import __version__ as __version__
from lren_tf.viewer.view import view as view

__all__ = [
    "LREN",
    "EpochLog",
    "InputError",
    "LowRankResult",
    "Scene",
    "Settings",
    "TrainingDiverged",
    "__version__",
    "datasets",
    "detectors",
    "explain",
    "find_detections",
    "io",
    "load_map",
    "load_scene",
    "metrics",
    "plots",
    "save_map",
    "solve_low_rank",
    "threshold_at",
    "view",
]
