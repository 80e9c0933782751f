"""Reading scenes and maps from files, and writing maps, one module per format."""

from lren_tf.data.scene import Scene
from lren_tf.io.labelled import scene_of
from lren_tf.io.load import PlacedMap, load_map, load_placed_map, load_scene
from lren_tf.io.save import save_map

__all__ = [
    "PlacedMap",
    "Scene",
    "load_map",
    "load_placed_map",
    "load_scene",
    "save_map",
    "scene_of",
]
