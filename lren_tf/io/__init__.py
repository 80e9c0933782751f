"""Reading scenes and maps from files, and writing maps, one module per format.

Other packages build their readers from `Reader`, `Variable`, `Details` and `Reading`.
"""

from lren_tf.data.scene import Scene
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import Reading
from lren_tf.io.base.variable import Variable
from lren_tf.io.labelled import scene_of
from lren_tf.io.load import load_scene
from lren_tf.io.maps import PlacedMap, load_map, load_placed_map
from lren_tf.io.save import save_map

__all__ = [
    "Details",
    "PlacedMap",
    "Reader",
    "Reading",
    "Scene",
    "Variable",
    "load_map",
    "load_placed_map",
    "load_scene",
    "save_map",
    "scene_of",
]
