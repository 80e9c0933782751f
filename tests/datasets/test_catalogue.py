import dataclasses
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.request
from types import MappingProxyType

import numpy as np
import pytest
import scipy.io
from scipy.stats import rankdata

from lren_tf import datasets
from lren_tf.data.array_checks import check_finite_pixels, varying_bands
from lren_tf.data.scene import data_sha256
from lren_tf.datasets import (
    DatasetUnavailable,
    benchmarks,
    download,
    find,
    further_names,
    load,
    names,
    published_map,
    simulate,
    simulation,
)
from lren_tf.errors import InputError

REAL_DATA = os.path.isdir(os.environ.get("LREN_TF_DATA", ""))


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty data folder and an empty Keras cache."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LREN_TF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    # urllib reads the proxies once and keeps them.
    monkeypatch.setattr(urllib.request, "_opener", None)
    return tmp_path / "data", tmp_path / "keras" / "datasets" / "lren_tf"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A benchmark called `tiny`: its entry, and the bytes of its file."""
    path = tmp_path / "source.mat"
    truth = np.zeros((6, 5), np.uint8)
    truth[1, 1] = 1
    scipy.io.savemat(path, {"data": np.arange(120).reshape(6, 5, 4), "map": truth})
    content = path.read_bytes()
    path.unlink()
    entry = datasets.Benchmark(
        name="tiny",
        title="Tiny",
        file="tiny.mat",
        sha256=hashlib.sha256(content).hexdigest(),
        shape=(6, 5, 4),
        anomalous=1,
        map_file="tiny.mat",
        url="http://127.0.0.1:9/tiny.mat",
    )
    use(monkeypatch, entry)
    return entry, content


def use(monkeypatch, entry):
    monkeypatch.setattr(benchmarks, "BENCHMARKS", MappingProxyType({entry.name: entry}))


@pytest.fixture
def server():
    """Serve bytes on 127.0.0.1; the yielded function returns the URL."""
    running = []

    def serve(content, declared=None, status=200, stall=0.0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(declared or len(content)))
                self.end_headers()
                self.wfile.write(content)
                released.wait(stall)

            def log_message(self, *arguments):
                pass

        released = threading.Event()
        instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=instance.serve_forever, args=(0.02,), daemon=True).start()
        running.append((instance, released))
        return f"http://127.0.0.1:{instance.server_port}/tiny.mat"

    yield serve
    for instance, released in running:
        released.set()
        instance.shutdown()
        instance.server_close()


class TestFind:
    def test_the_table(self):
        assert names() == ["sandiego", "hydice", "coast", "pavia"]
        entries = [datasets.BENCHMARKS[name] for name in names()]
        assert all(len(entry.sha256) == 64 for entry in entries)
        assert all(entry.url.endswith(f"/{entry.file}") for entry in entries)

    def test_the_further_scenes(self):
        assert further_names() == [
            "airport-1", "airport-3", "beach-2", "urban-3", "urban-4", "muufl", "sandiego-58",
        ]  # fmt: skip
        entries = [datasets.FURTHER[name] for name in further_names()]
        assert all(len(entry.sha256) == 64 and entry.source for entry in entries)
        assert all(entry.file == f"scenes/{entry.name}.mat" for entry in entries)
        assert not {entry.url for entry in entries} - {None}
        assert not set(names()) & set(further_names())

    @pytest.mark.parametrize("call", [find, load, published_map])
    @pytest.mark.parametrize("name", ["urban", "", None, ["pavia"]])
    def test_unknown_names(self, call, name):
        with pytest.raises(InputError, match="sandiego, hydice, coast, pavia"):
            call(name)

    @pytest.mark.usefixtures("places")
    def test_nothing_there(self):
        assert [find(name) for name in (*names(), *further_names())] == [None] * 11

    def test_a_further_scene_is_found_in_its_folder(self, places, tiny, monkeypatch):
        entry = dataclasses.replace(tiny[0], file="scenes/tiny.mat", url=None, source="a crop")
        monkeypatch.setattr(benchmarks, "BENCHMARKS", MappingProxyType({}))
        monkeypatch.setattr(benchmarks, "FURTHER", MappingProxyType({"tiny": entry}))
        (places[0] / "scenes").mkdir()
        file = places[0] / "scenes" / "tiny.mat"
        file.write_bytes(tiny[1] + b"x")
        with pytest.raises(InputError, match="replace it by the file from a crop"):
            find("tiny")
        file.write_bytes(tiny[1])
        assert find("tiny") == file
        assert load("tiny").truth.sum() == 1

    def test_the_data_folder_comes_first(self, places, tiny):
        data, cache = places
        cache.mkdir(parents=True)
        (cache / "tiny.mat").write_bytes(tiny[1])
        assert find("tiny") == cache / "tiny.mat"
        (data / "tiny.mat").write_bytes(tiny[1])
        assert find("tiny") == data / "tiny.mat"

    def test_a_wrong_file_in_the_data_folder_is_refused(self, places, tiny):
        (places[0] / "tiny.mat").write_bytes(tiny[1] + b"x")
        received = hashlib.sha256(tiny[1] + b"x").hexdigest()
        with pytest.raises(InputError, match=f"{received}; expected {tiny[0].sha256}"):
            find("tiny")

    def test_a_wrong_file_in_the_cache_is_as_good_as_none(self, places, tiny):
        places[1].mkdir(parents=True)
        (places[1] / "tiny.mat").write_bytes(tiny[1] + b"x")
        assert find("tiny") is None

    def test_the_cache_without_keras_home(self, places, tiny, tmp_path, monkeypatch):
        monkeypatch.delenv("KERAS_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        cache = tmp_path / ".keras" / "datasets" / "lren_tf"
        cache.mkdir(parents=True)
        (cache / "tiny.mat").write_bytes(tiny[1])
        assert find("tiny") == cache / "tiny.mat"

    def test_a_data_folder_that_is_none(self, monkeypatch, tmp_path):
        monkeypatch.setenv("LREN_TF_DATA", str(tmp_path / "gone"))
        with pytest.raises(InputError, match="not a folder"):
            find("pavia")


class TestLoad:
    def test_from_the_data_folder(self, places, tiny):
        (places[0] / "tiny.mat").write_bytes(tiny[1])
        scene = load("tiny", download=False)
        assert (scene.name, scene.shape, scene.simulated) == ("Tiny", (6, 5, 4), False)
        assert scene.source == str(places[0] / "tiny.mat")
        assert np.argwhere(scene.truth).tolist() == [[1, 1]]

    def test_not_found_and_not_to_be_downloaded(self, places, tiny):
        with pytest.raises(DatasetUnavailable) as refusal:
            load("tiny", download=False)
        for hint in ("LREN_TF_DATA", str(places[1]), tiny[0].url):
            assert hint in str(refusal.value)
        assert not places[1].exists()

    @pytest.mark.parametrize("may", [True, False])
    def test_a_further_scene_has_to_be_had_by_hand(self, places, may):
        with pytest.raises(DatasetUnavailable) as refusal:
            load("muufl", download=may)
        for hint in ("LREN_TF_DATA", "scenes/muufl.mat", "by hand", "GatorSense/MUUFLGulfport"):
            assert hint in str(refusal.value)
        assert not places[1].exists()

    def test_download(self, places, tiny, server, monkeypatch):
        use(monkeypatch, dataclasses.replace(tiny[0], url=server(tiny[1])))
        before = socket.getdefaulttimeout()
        assert load("tiny").shape == (6, 5, 4)
        assert os.listdir(places[1]) == ["tiny.mat"]
        assert (places[1] / "tiny.mat").read_bytes() == tiny[1]
        assert socket.getdefaulttimeout() == before
        # The second time no server is needed.
        use(monkeypatch, tiny[0])
        assert load("tiny").source == str(places[1] / "tiny.mat")

    def test_a_wrong_cached_file_is_replaced(self, places, tiny, server, monkeypatch):
        places[1].mkdir(parents=True)
        (places[1] / "tiny.mat").write_bytes(b"half a download")
        use(monkeypatch, dataclasses.replace(tiny[0], url=server(tiny[1])))
        assert load("tiny").bands == 4
        assert (places[1] / "tiny.mat").read_bytes() == tiny[1]

    @pytest.mark.parametrize("kind", ["short", "wrong", "missing", "stalled"])
    def test_failed_downloads_leave_nothing(self, places, tiny, server, monkeypatch, kind):
        entry, content = tiny
        monkeypatch.setattr(download, "_SILENCE_SECONDS", 0.5)
        url = {
            "short": lambda: server(content[:100], declared=len(content)),
            "wrong": lambda: server(content[:-1] + b"x"),
            "missing": lambda: server(b"not here", status=404),
            "stalled": lambda: server(content[:100], declared=len(content), stall=30),
        }[kind]()
        use(monkeypatch, dataclasses.replace(entry, url=url))
        start = time.monotonic()
        with pytest.raises(DatasetUnavailable, match="could not be downloaded"):
            load("tiny")
        assert time.monotonic() - start < 20
        assert os.listdir(places[1]) == []

    def test_a_refused_connection(self, places, tiny, monkeypatch):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/tiny.mat"
        use(monkeypatch, dataclasses.replace(tiny[0], url=url))
        with pytest.raises(DatasetUnavailable, match=r"no connection to 127\.0\.0\.1"):
            load("tiny")
        assert os.listdir(places[1]) == []

    @pytest.mark.usefixtures("places", "tiny")
    def test_a_host_that_never_answers(self, monkeypatch):
        # Name resolution and connecting both hang like this without a network.
        release = threading.Event()

        def hang(*arguments, **options):
            release.wait(30)
            raise OSError

        monkeypatch.setattr(socket, "create_connection", hang)
        monkeypatch.setattr(download, "_CONNECT_SECONDS", 0.2)
        start = time.monotonic()
        with pytest.raises(DatasetUnavailable, match=r"no answer from 127\.0\.0\.1"):
            load("tiny")
        assert time.monotonic() - start < 5
        release.set()

    def test_behind_a_proxy_the_proxy_is_tried(self, places, tiny, server, monkeypatch):
        proxy = server(tiny[1]).removesuffix("/tiny.mat")
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "")
        use(monkeypatch, dataclasses.replace(tiny[0], url="http://scene.invalid/tiny.mat"))
        assert load("tiny").bands == 4
        assert os.listdir(places[1]) == ["tiny.mat"]

    def test_a_cache_that_cannot_be_written(self, places, tiny, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("x")
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
        with pytest.raises(DatasetUnavailable, match="not writable"):
            load("tiny")


class TestPublishedMap:
    def test_found(self, places, tiny):
        assert published_map("tiny") is None
        (places[0] / "published_maps").mkdir()
        scores = np.linspace(0, 1, 30).reshape(6, 5)
        scipy.io.savemat(places[0] / "published_maps" / "tiny.mat", {"array": scores})
        np.testing.assert_array_equal(published_map("tiny"), scores)

    def test_another_scene_s_map(self, places, tiny):
        (places[0] / "published_maps").mkdir()
        scipy.io.savemat(places[0] / "published_maps" / "tiny.mat", {"array": np.ones((5, 5))})
        with pytest.raises(InputError, match=r"shape \(5, 5\); expected \(6, 5\)"):
            published_map("tiny")

    def test_there_is_none_for_coast(self, places):
        # The file the release holds for Coast is Pavia's, and of the same shape.
        (places[0] / "published_maps").mkdir()
        path = places[0] / "published_maps" / "abu-urban-2.mat"
        scipy.io.savemat(path, {"array": np.ones((100, 100))})
        assert published_map("coast") is None

    def test_without_a_data_folder(self, monkeypatch):
        monkeypatch.delenv("LREN_TF_DATA", raising=False)
        assert published_map("pavia") is None


@pytest.mark.data
@pytest.mark.skipif(not REAL_DATA, reason="LREN_TF_DATA names no folder with the scenes")
@pytest.mark.parametrize("name", [*names(), *further_names()])
def test_the_real_scenes(name):
    if find(name) is None:
        pytest.skip(f"{name} is not in LREN_TF_DATA")
    entry = {**datasets.BENCHMARKS, **datasets.FURTHER}[name]
    scene = load(name, download=False)
    assert scene.shape == entry.shape
    assert scene.truth.sum() == entry.anomalous
    check_finite_pixels(scene.pixels)
    assert varying_bands(scene.pixels).any()
    values = published_map(name)
    if values is not None:
        assert (values.min(), values.max()) == (0, 1)
        assert auc(scene.truth_vector, values.ravel()) > 0.98


def test_importing_the_module_does_not_import_tensorflow():
    # The package's own __init__ is left out: what it imports is its own affair.
    program = (
        "import sys, types, importlib.util as u\n"
        "package = types.ModuleType('lren_tf')\n"
        "package.__path__ = u.find_spec('lren_tf').submodule_search_locations\n"
        "sys.modules['lren_tf'] = package\n"
        "import lren_tf.datasets\n"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def auc(truth, scores):
    ranks, positive = rankdata(scores), int(truth.sum())
    excess = ranks[truth].sum() - positive * (positive + 1) / 2
    return excess / (positive * (truth.size - positive))


def global_rx(pixels):
    centred = pixels.astype(np.float64) - pixels.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / len(centred)
    return np.einsum("nb,nb->n", centred, np.linalg.solve(covariance, centred.T).T)


class TestSimulate:
    @pytest.mark.parametrize("seed", range(6))
    def test_global_rx_finds_the_targets(self, seed):
        scene = simulate(seed=seed)
        assert auc(scene.truth_vector, global_rx(scene.pixels)) > 0.9

    def test_what_it_returns(self):
        scene = simulate(40, 30, 20, seed=3)
        assert scene.shape == (40, 30, 20)
        assert (scene.name, scene.source, scene.simulated) == ("simulated", None, True)
        assert scene.cube.dtype == np.float32
        assert -0.1 < scene.cube.min() < scene.cube.max() < 1.1
        assert 0 < scene.truth.sum() < scene.truth.size / 20

    def test_the_same_arguments_give_the_same_scene(self):
        first, second, other = simulate(seed=1), simulate(seed=1), simulate(seed=2)
        assert data_sha256(first.cube) == data_sha256(second.cube)
        np.testing.assert_array_equal(first.truth, second.truth)
        assert not np.array_equal(first.cube, other.cube)
        assert not np.array_equal(first.truth, other.truth)

    def test_noise_does_not_move_the_targets(self):
        clean, noisy = simulate(noise_snr_db=np.inf), simulate(noise_snr_db=10)
        np.testing.assert_array_equal(clean.truth, noisy.truth)
        assert not np.array_equal(clean.cube, noisy.cube)

    @pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 90), (3, 3), (90, 2)])
    @pytest.mark.parametrize("bands", [1, 2, 33])
    def test_small_sizes(self, size, bands):
        for anomalies in (None, 0, size[0] * size[1] // 2):
            scene = simulate(*size, bands, anomalies=anomalies, endmembers=bands)
            assert scene.shape == (*size, bands)
            assert np.isfinite(scene.cube).all()
            assert scene.truth.sum() <= scene.truth.size / 2
            if anomalies is not None:
                assert scene.truth.sum() >= anomalies

    @pytest.mark.parametrize("snr", [10.0, 25.0])
    def test_noise_has_the_stated_level_and_depends_on_the_band(self, snr):
        options = {"height": 80, "width": 80, "bands": 24, "anomalies": 0}
        clean = simulate(**options, noise_snr_db=np.inf).pixels.astype(np.float64)
        noise = simulate(**options, noise_snr_db=snr).pixels - clean
        measured = 10 * np.log10((clean**2).mean(axis=0) / (noise**2).mean(axis=0))
        assert measured.mean() == pytest.approx(snr, abs=0.1)
        assert np.ptp(measured) == pytest.approx(6, abs=0.5)

    def test_background_is_linear_mixing_and_targets_are_not(self):
        scene = simulate(noise_snr_db=np.inf, endmembers=4)
        background = scene.pixels[~scene.truth_vector].astype(np.float64)
        values, basis = np.linalg.svd(background, full_matrices=False)[1:]
        assert values[4] < 1e-5 * values[0] < values[3]
        residual = scene.pixels - scene.pixels @ basis[:4].T @ basis[:4]
        distance = np.linalg.norm(residual, axis=1)
        assert distance[scene.truth_vector].min() > 100 * distance[~scene.truth_vector].max()

    def test_neighbours_are_alike(self):
        cube = simulate(anomalies=0, noise_snr_db=np.inf).cube
        step = np.abs(np.diff(cube, axis=1)).mean()
        shuffled = np.random.default_rng(0).permutation(cube.reshape(-1, 80))
        assert step < np.abs(np.diff(shuffled, axis=0)).mean() / 3

    def test_both_kinds_of_targets_and_their_fill(self):
        options = {"anomalies": 20, "noise_snr_db": np.inf, "seed": 4}
        mixed = simulate(**options, fill=(0.3, 0.5))
        full = simulate(**options, fill=(1.0, 1.0))
        np.testing.assert_array_equal(mixed.truth, full.truth)
        assert len(np.unique(full.cube[full.truth], axis=0)) == 2
        changed = (mixed.cube != full.cube).any(axis=2)
        # Every other target is one mixed pixel; the structural ones are full either way.
        assert changed.sum() == 10
        assert full.truth.sum() >= 10 + 10 * 4
        background = simulate(**{**options, "anomalies": 0}).cube[changed].astype(np.float64)
        target = full.cube[changed].astype(np.float64) - background
        fill = ((mixed.cube[changed] - background) * target).sum(1) / (target**2).sum(1)
        assert fill.min() >= 0.3 - 1e-4
        assert fill.max() <= 0.5 + 1e-4

    def test_chunks_do_not_matter(self, monkeypatch):
        whole = simulate(20, 20, 10)
        monkeypatch.setattr(simulation, "_ELEMENTS_AT_A_TIME", 1)
        np.testing.assert_allclose(simulate(20, 20, 10).cube, whole.cube, atol=1e-6)

    def test_memory_beyond_the_cube_is_small(self):
        tracemalloc.start()
        try:
            scene = simulate(300, 300, 120)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        planes = 300 * 300 * 4
        chunk = simulation._ELEMENTS_AT_A_TIME * 4
        assert peak < scene.cube.nbytes + 12 * planes + 1.5 * chunk

    @pytest.mark.parametrize(
        "options",
        [
            {"height": 0},
            {"width": -1},
            {"bands": 2.5},
            {"bands": True},
            {"endmembers": 0},
            {"seed": -1},
            {"seed": None},
            {"anomalies": -1},
            {"anomalies": 64 * 64 // 2 + 1},
            {"fill": (0, 1)},
            {"fill": (0.5, 0.4)},
            {"fill": (0.5, 1.1)},
            {"fill": 0.5},
            {"fill": (0.1, 0.2, 0.3)},
            {"fill": ("a", "b")},
            {"noise_snr_db": np.nan},
            {"noise_snr_db": -np.inf},
            {"noise_snr_db": 1e6},
            {"noise_snr_db": "loud"},
            {"smoothness": -1},
            {"smoothness": np.inf},
            {"smoothness": 65},
            {"smoothness": None},
        ],
        ids=str,
    )
    def test_refusals(self, options):
        with pytest.raises(InputError, match=rf"\b{next(iter(options))}\b.* is .*; expected"):
            simulate(**options)
