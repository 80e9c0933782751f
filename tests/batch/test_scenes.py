"""Scenes of a folder, a pattern, a list, several paths and names; what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lren_tf.batch.scenes import listed_scenes
from lren_tf.errors import InputError
from tests.io.products import cube, write_envi


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("some", "deep").mkdir(parents=True)
    for name in ("b", "a", "c"):
        np.save(f"some/{name}.npy", cube())
    np.save("some/deep/d.npy", cube())


def listed(*given):
    return [scene.name for scene in listed_scenes(given, lambda text: text == "simulated")]


def test_a_folder():
    assert listed("some") == ["a", "b", "c"]


def test_patterns():
    assert listed("some/*.npy") == ["a", "b", "c"]
    assert listed("some/[ac].npy") == ["a", "c"]
    assert listed("some/**/*.npy") == ["a", "b", "c", "d"]


def test_a_file_whose_name_looks_like_a_pattern():
    np.save("some/x[1].npy", cube())
    assert listed("some/x[1].npy") == ["x[1]"]


def test_paths_in_their_order_and_once():
    scenes = listed_scenes(["some/c.npy", "some", "./some/../some/a.npy"], lambda text: False)
    assert [scene.name for scene in scenes] == ["c", "a", "b"]
    assert all(os.path.isabs(scene.path) for scene in scenes)


def test_names():
    (scene,) = listed_scenes(["simulated"], lambda text: True)
    assert (scene.name, scene.path, scene.file) == ("simulated", "simulated", None)
    assert listed("some/a.npy", "simulated", "simulated") == ["a", "simulated"]


def test_a_list_is_relative_to_its_folder():
    Path("some/list.txt").write_text("\ufeff# mine\n\n  b.npy \ndeep\nsimulated\n", "utf-8")
    assert listed("some/list.txt") == ["b", "d", "simulated"]


def test_either_file_of_an_envi_image():
    write_envi(Path("some/e.img"), cube())
    assert listed("some/e.img") == ["e"]
    assert listed("some/e.img.hdr", "some/a.npy") == ["e", "a"]


def test_hidden_files_are_left_out():
    np.save("some/.0123456789abcdef.npy", cube())
    assert listed("some") == ["a", "b", "c"]


def test_what_is_no_scene_is_told():
    for number in range(7):
        np.save(f"some/m{number}.npy", np.eye(3))
    with pytest.warns(UserWarning, match=r"left out: m0.npy, .*, m4.npy and 2 more\."):
        assert listed("some") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gone", "gone does not exist; expected scenes, folders"),
        ("gone.npy", "gone.npy does not exist"),
        ("gone/*.npy", r"'gone/\*.npy' holds no scene among 0 files"),
        ("empty", "empty holds no scene among 0 files"),
        ("maps", "maps holds no scene among 2 files"),
        ("nothing.txt", "lists nothing"),
        ("wrong.txt", r"gone.npy does not exist \(in .*wrong.txt\)"),
        ("nested.txt", "nothing.txt, which is a list itself"),
        ("bytes.txt", "cannot be read as a list"),
    ],
)
def test_refusals(given, said):
    Path("empty").mkdir()
    Path("maps").mkdir()
    np.save("maps/m.npy", np.eye(3))
    Path("maps/words.txt").write_text("words")
    Path("nothing.txt").write_text("# none\n")
    Path("wrong.txt").write_text("some/a.npy\ngone.npy\n")
    Path("nested.txt").write_text("nothing.txt\n")
    Path("bytes.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=said):
        listed("some", given)


@pytest.mark.parametrize("name", ["a.npy", "A.npy", "a.mat"])
def test_two_scenes_of_one_name(name):
    Path("other").mkdir()
    np.save("other/tmp.npy", cube())
    Path("other/tmp.npy").rename(f"other/{name}")
    with pytest.raises(InputError, match=r"would both write results called .; expected scenes of"):
        listed("some", f"other/{name}")
