"""Maps in the family of the scene: aligned with it, chosen by ``--format``, whole or not there."""

from __future__ import annotations

import builtins
import csv
import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.io import load_map, load_placed_map, save_map
from tests.cli.common import RX, SCENE, SMALL, files, mat, report
from tests.io.products import write_emit, write_envi, write_geotiff, write_prisma

rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")
pytest.importorskip("spectral", reason="SPy, of the extra geo, is not installed")
from rasterio.transform import Affine  # noqa: E402

CUT = ("--false-alarm-rate", "1e-2")
FILLED = -9999.0
COS, SIN = 5 * np.cos(np.radians(12)), 5 * np.sin(np.radians(12))
TRANSFORMS = {
    "north up": Affine(5.0, 0.0, 450000.0, 0.0, -5.0, 5200000.0),
    "turned": Affine(COS, SIN, 450000.0, SIN, -COS, 5200000.0),
}


def scene(height: int, width: int, target: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A cube with one bright pixel, and which of its pixels hold data."""
    rng = np.random.default_rng(5)
    cube = rng.normal(100, 5, (height, width, 4)).astype(np.float32)
    cube += np.linspace(0, 50, width, dtype=np.float32)[:, None]
    cube[target] += (90, -60, 70, -80)
    valid = np.ones((height, width), bool)
    valid[:, -3:] = valid[0] = False
    valid[target[0] - 5, target[1] - 2] = False
    cube[~valid] = FILLED
    return cube, valid


def write(name: str, cube: np.ndarray, how: str) -> Path:
    """`scene.tif`, or `scene` and `scene.hdr`, in UTM zone 32."""
    if name.endswith(".tif"):
        return write_geotiff(
            Path(name), cube, crs="EPSG:32632", transform=TRANSFORMS[how], nodata=FILLED
        )
    info = "UTM, 1, 1, 450000, 5200000, 5, 5, 32, North, WGS-84, units=Meters"
    turned = ", rotation=12" if how == "turned" else ""
    bands = "{1, 1, 1, 1}"
    return write_envi(
        Path(name), cube, "bil", map_info=f"{{{info}{turned}}}", bbl=bands,
        data_ignore_value=str(FILLED), wavelength="{500, 600, 700, 800}",
        coordinate_system_string="{" + rasterio.crs.CRS.from_epsg(32632).to_wkt() + "}",
    )  # fmt: skip


def detections(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).open(encoding="ascii", newline="")))


def assert_aligned(before: str, after: str, valid: np.ndarray) -> None:
    """Same grid, same system, and no data where there was none."""
    with rasterio.open(before) as one, rasterio.open(after) as other:
        assert other.shape == one.shape
        assert other.count == 1
        assert other.transform.almost_equals(one.transform, 1e-9)
        assert other.crs == one.crs
        np.testing.assert_array_equal(other.dataset_mask() != 0, valid)


class TestAligned:
    @pytest.mark.parametrize(
        ("name", "how", "size", "rate"),
        [("scene", "turned", 512, "1e-5"), ("scene.tif", "north up", 512, "1e-5"),
         ("scene", "north up", 64, "1e-3"), ("scene.tif", "turned", 64, "1e-3")],
    )  # fmt: skip
    def test_a_georeferenced_scene(self, name, how, size, rate):
        target = (size * 3 // 5, size // 12)
        cube, valid = scene(size, size, target)
        write(name, cube, how)
        suffix = ".tif" if name.endswith(".tif") else ".img"
        assert main(["detect", name, *RX, "--false-alarm-rate", rate, "--out", "out"]) == 0
        score_file, mask_file = f"out/scene_score{suffix}", f"out/scene_mask{suffix}"
        for path in (score_file, mask_file):
            assert_aligned(name, path, valid)

        a, b, c, d, e, f = TRANSFORMS[how][:6]
        right, down = target[1] + 0.5, target[0] + 0.5
        x, y = a * right + b * down + c, d * right + e * down + f
        with rasterio.open(score_file) as image:
            assert image.dtypes == ("float32",) and np.isnan(image.nodata)
            score = image.read(1)
            assert image.index(x, y) == target
        np.testing.assert_array_equal(score, np.load("out/scene_score.npy"))
        np.testing.assert_array_equal(np.isnan(score), ~valid)
        assert np.unravel_index(np.nanargmax(score), score.shape) == target
        with rasterio.open(mask_file) as image:
            assert image.dtypes == ("uint8",) and image.nodata == 255
            mask = image.read(1)
        np.testing.assert_array_equal(mask, np.load("out/scene_mask.npy"))
        assert mask[target] == 1
        first = detections("out/scene_detections.csv")[0]
        assert (float(first["x"]), float(first["y"])) == pytest.approx((x, y), abs=2.5)

        told = report("out/scene_report.json")
        assert told["maps"]["format"] == {".tif": "GeoTIFF", ".img": "ENVI"}[suffix]
        assert told["maps"]["transform"] == pytest.approx(TRANSFORMS[how][:6])
        assert told["maps"]["crs"] == told["scene"]["georeference"]["crs"]
        assert told["maps"]["no_data"] == {"score": "NaN", "mask": 255}
        assert told["maps"]["mask_values"] == {"background": 0, "detected": 1, "no_data": 255}
        assert told["maps"]["shape"] == [size, size]
        assert not told["maps"]["orthorectified"]
        assert told["files"][f"score_{suffix[1:]}"] == score_file
        assert all(Path(path).is_file() for path in told["files"].values())
        assert told["notices"] == []

        # Another rate, from the map alone.
        assert main(["threshold", score_file, "--false-alarm-rate", rate, "--out", "again"]) == 0
        assert_aligned(name, f"again/scene_mask{suffix}", valid)
        for ending in ("mask.npy", f"mask{suffix}", "detections.csv", "detections.geojson"):
            again = Path(f"again/scene_{ending}").read_bytes()
            assert again == Path(f"out/scene_{ending}").read_bytes(), ending
        told = report("again/scene_threshold.json")
        assert told["maps"]["transform"] == pytest.approx(TRANSFORMS[how][:6])

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["scene", "scene.tif"])
    def test_lren_too(self, name):
        cube, valid = scene(20, 24, (15, 11))
        write(name, cube, "turned")
        assert main(["detect", name, *SMALL]) == 0
        path = "scene_score.tif" if name.endswith(".tif") else "scene_score.img"
        assert_aligned(name, path, valid)
        np.testing.assert_array_equal(load_map(path), np.load("scene_score.npy"))

    def test_the_header_holds_nothing_of_the_bands(self):
        write("scene", scene(20, 24, (15, 11))[0], "turned")
        assert main(["detect", "scene", *RX, *CUT]) == 0
        for name in ("scene_score.hdr", "scene_mask.hdr"):
            text = Path(name).read_text("ascii")
            assert "rotation=12" in text and "bands = 1\n" in text
            assert not any(word in text for word in ("wavelength", "bbl", "-9999"))


class TestProducts:
    def test_emit_is_laid_out_on_its_map_grid(self):
        cube = np.random.default_rng(0).uniform(0, 1, (12, 10, 8))
        cube[4, 6] += 3
        cube[2, 1] = FILLED
        write_emit(Path("scene.nc"), cube)
        assert main(["detect", "scene.nc", *RX, *CUT]) == 0
        score, mask = np.load("scene_score.npy"), np.load("scene_mask.npy")
        assert score.shape == mask.shape == (12, 10)
        for plain, name in ((score, "scene_score.tif"), (mask, "scene_mask.tif")):
            laid_out = load_map(name)
            assert laid_out.shape == (13, 11) and laid_out.dtype == plain.dtype
            np.testing.assert_array_equal(laid_out[1:, 1:], plain)
            edge = np.concatenate([laid_out[0], laid_out[:, 0]])
            assert (np.isnan(edge) if plain is score else edge == 255).all()
        told = report("scene_report.json")
        assert told["maps"]["orthorectified"] and told["maps"]["shape"] == [13, 11]
        assert told["maps"]["transform"] == [0.5, 0, 10, 0, -0.25, 50]
        # Positions of the pixels, of which the file has one each.
        first = detections("scene_detections.csv")[0]
        assert (first["peak_row"], first["peak_column"]) == ("4", "6")
        assert (float(first["x"]), float(first["y"])) == pytest.approx((10.06, 49.96))

    def test_emit_without_its_table(self, capsys):
        import h5py

        write_emit(Path("scene.nc"), SCENE.cube)
        with h5py.File("scene.nc", "r+") as hdf:
            del hdf["location/glt_x"]
        assert main(["detect", "scene.nc", *RX]) == 0
        assert sorted(files()) == [
            "scene.nc", "scene_report.json", "scene_score.npy", "scene_score.png",
        ]  # fmt: skip
        (notice,) = report("scene_report.json")["notices"]
        assert notice == (
            "nothing says how the pixels of the scene lie on a map grid: maps are written as .npy "
            "alone, in the geometry of the scene."
        )
        assert capsys.readouterr().err == f"lren-tf: note: {notice}\n"

    def test_positions_that_are_not_known(self):
        import h5py

        write_emit(Path("scene.nc"), SCENE.cube)
        with h5py.File("scene.nc", "r+") as hdf:
            hdf["location/lon"][...] = np.nan
        assert main(["detect", "scene.nc", *RX, *CUT]) == 0
        assert {(row["x"], row["y"]) for row in detections("scene_detections.csv")} == {("", "")}

    def test_prisma_lies_on_a_grid(self):
        vnir = np.random.default_rng(0).integers(1, 9999, (12, 5, 10)).astype("u2")
        write_prisma(Path("scene.he5"), vnir, vnir[:, :3])
        assert main(["detect", "scene.he5", *RX]) == 0
        with rasterio.open("scene_score.tif") as image:
            assert image.crs.to_epsg() == 32633
            assert image.transform == Affine(30, 0, 499985, 0, -30, 4000015)
        np.testing.assert_array_equal(load_map("scene_score.tif"), np.load("scene_score.npy"))

    def test_without_rasterio_it_says_what_to_do(self, monkeypatch, refused):
        write_emit(Path("scene.nc"), SCENE.cube)
        hide(monkeypatch, "rasterio")
        message = refused("detect", "scene.nc", *RX)
        assert message == (
            "lren-tf: writing a GeoTIFF needs rasterio, which is not installed; run pip install "
            "'lren-tf[geo]', or pass --format npy.\n"
        )
        assert main(["detect", "scene.nc", *RX, "--format", "npy"]) == 0


def hide(monkeypatch, package: str) -> None:
    """Let imports of a package fail."""
    real = builtins.__import__

    def importing(name, *rest, **more):  # codecs are imported with keywords
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", importing)


FAMILIES = {"auto": [".mat"], "mat": [".mat"], "npy": [], "geotiff": [".tif", ".qml"],
            "envi": [".img", ".hdr"]}  # fmt: skip


class TestFormat:
    @pytest.mark.parametrize(("asked", "suffixes"), FAMILIES.items())
    def test_every_one_beside_the_npy(self, asked, suffixes, scene_file, capsys):
        assert main(["detect", scene_file, *RX, "--format", asked, *CUT, "--out", "out"]) == 0
        out = capsys.readouterr().out
        written = {name for name in files() if "score." in name or "mask." in name}
        expected = {f"out/small_{what}{suffix}" for what in ("score", "mask")
                    for suffix in (".npy", *suffixes)} | {"out/small_score.png"}  # fmt: skip
        assert written == expected
        told = report("out/small_report.json")
        assert set(told["files"].values()) == set(files()) - {"out", "small.mat"}
        for what, path in told["files"].items():
            assert f"{what}: {path}" in out
        score, mask = np.load("out/small_score.npy"), np.load("out/small_mask.npy")
        assert main(["evaluate", "out/small_score.npy", scene_file]) == 0
        metrics = json.loads(capsys.readouterr().out)
        for suffix in (each for each in suffixes if each != ".qml"):  # a style
            np.testing.assert_array_equal(load_map(f"out/small_score{suffix}"), score)
            np.testing.assert_array_equal(load_map(f"out/small_mask{suffix}"), mask)
            assert main(["evaluate", f"out/small_score{suffix}", scene_file]) == 0
            assert json.loads(capsys.readouterr().out) == metrics

    def test_names_are_written_as_numpy(self, monkeypatch):
        from lren_tf import datasets

        monkeypatch.setattr(datasets, "simulate", lambda: SCENE)
        assert main(["detect", "simulated", *RX]) == 0
        assert report("simulated_report.json")["maps"] == {
            "format": "NumPy", "shape": [12, 10], "crs": None, "transform": None,
            "orthorectified": False, "no_data": {"score": "NaN"},
        }  # fmt: skip
        assert not [name for name in files() if name.endswith((".mat", ".tif", ".img"))]

    def test_a_place_that_cannot_be_said(self, capsys):
        sheared = Affine(5.0, 1.0, 450000.0, 0.0, -5.0, 5200000.0)
        write_geotiff(Path("scene.tif"), SCENE.cube, transform=sheared)
        assert main(["detect", "scene.tif", *RX, *CUT, "--format", "envi"]) == 0
        told = report("scene_report.json")
        notices = [said for said in told["notices"] if "an ENVI header cannot say" in said]
        assert len(notices) == 1
        assert told["maps"]["transform"] is None
        assert told["scene"]["georeference"]["transform"] == list(sheared[:6])
        assert "map info" not in Path("scene_score.hdr").read_text()
        # The detections say their places all the same.
        assert detections("scene_detections.csv")[0]["x"]

    def test_no_data_of_a_foreign_score(self, capsys):
        values = np.random.default_rng(0).gamma(2.0, size=(50, 60)).astype(np.float32)
        values[:3] = FILLED
        write_geotiff(Path("other.tif"), values[:, :, None], nodata=FILLED)
        assert main(["threshold", "other.tif", *CUT]) == 0
        np.testing.assert_array_equal(np.load("other_mask.npy") == 255, values == FILLED)
        place = load_placed_map("other_mask.tif").georeference
        assert place.transform == (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
        truth = np.zeros((50, 60), np.uint8)
        truth[:5, 0] = truth[9, 9] = 1
        np.save("truth.npy", truth)
        capsys.readouterr()
        assert main(["evaluate", "other.tif", "truth.npy"]) == 0
        np.save("plain.npy", np.where(values == FILLED, np.nan, values))
        first = json.loads(capsys.readouterr().out)
        assert main(["evaluate", "plain.npy", "truth.npy"]) == 0
        second = json.loads(capsys.readouterr().out)
        # The GeoTIFF says how large a pixel is.
        assert first["objects"].pop("area_km2") == pytest.approx(2820 * 900 / 1e6)
        assert second["objects"].pop("area_km2") is None
        for told in (first, second):
            for rate in ("at_1_percent", "at_1_permille"):
                del told["objects"][rate]["false_alarms_per_km2"]
        assert second == first

    def test_threshold_writes_another_format(self):
        save_map("a_score.tif", SCENE.cube[:, :, 0])
        assert main(["threshold", "a_score.tif", *CUT, "--format", "mat"]) == 0
        np.testing.assert_array_equal(load_map("a_mask.mat", key="mask"), np.load("a_mask.npy"))
        assert not Path("a_mask.tif").exists()

    @pytest.mark.parametrize("command", [("detect", *SMALL), ("threshold", *CUT)])
    def test_refused_before_anything_is_done(self, command, scene_file, refused, monkeypatch):
        import lren_tf.model.lren

        def trained(*arguments, **keywords):
            raise AssertionError("refused too late")

        monkeypatch.setattr(lren_tf.model.lren.LREN, "fit", trained)
        np.save("a_score.npy", SCENE.cube[:, :, 0])
        name, *options = command
        given = [name, scene_file if name == "detect" else "a_score.npy", *options, "--format"]
        assert (
            "--format is 'jpeg'; expected one of auto, envi, geotiff, mat, npy."
            in refused(*given, "jpeg")
        )
        hide(monkeypatch, "rasterio")
        assert "needs rasterio, which is not installed; run pip" in refused(*given, "geotiff")
        hide(monkeypatch, "spectral")
        assert "needs spectral, which is not installed; run pip" in refused(*given, "envi")

    def test_coordinates_for_envi_without_rasterio(self, refused, monkeypatch, capsys):
        """The scene's own entries are enough, those of another file are not."""
        write("scene", scene(20, 24, (15, 11))[0], "turned")
        write_emit(Path("other.nc"), SCENE.cube)
        hide(monkeypatch, "rasterio")
        assert main(["detect", "scene", *RX, "--out", "out"]) == 0
        assert "rotation=12" in Path("out/scene_score.hdr").read_text("ascii")
        capsys.readouterr()
        message = refused("detect", "other.nc", *RX, "--format", "envi")
        assert "into an ENVI header needs rasterio" in message

    @pytest.mark.parametrize("ending", ["score.img", "score.hdr", "mask.hdr"])
    def test_a_folder_in_the_way_is_found_before_the_training(self, ending, refused):
        write("scene", scene(20, 24, (15, 11))[0], "north up")
        Path(f"scene_{ending}").mkdir()
        message = refused("detect", "scene", *RX, *CUT)
        assert f"scene_{ending} is a folder" in message


class TestInputsStay:
    def test_a_file_that_is_read_is_not_replaced(self, refused):
        write("scene.tif", scene(20, 24, (15, 11))[0], "north up")
        save_map("scene_mask.tif", np.ones((20, 24), np.uint8))
        message = refused("detect", "scene.tif", *RX, *CUT, "--mask", "scene_mask.tif")
        assert message == (
            "lren-tf: scene_mask.tif is read and would be replaced by an output of that name; "
            "expected outputs elsewhere, choose another folder with --out.\n"
        )
        assert main(["detect", "scene.tif", *RX, "--mask", "scene_mask.tif"]) == 0

    def test_nor_is_a_score(self, refused):
        Path("a").mkdir()
        np.save("a/s_mask.npy", SCENE.cube[:, :, 0])
        os.symlink("a/s_mask.npy", "s_score.npy")
        assert "s_score.npy is read" in refused("threshold", "s_score.npy", *CUT, "--out", "a")


# What writes: the families' own, of which the second call writes the mask, and what all share.
WRITERS = [
    ("scene", "lren_tf.io.formats.envi.write_envi", 2),
    ("scene", "spectral.io.envi.write_envi_header", 1),
    ("scene.tif", "lren_tf.io.formats.geotiff.write_geotiff", 2),
    ("scene.mat", "lren_tf.io.registry.write_mat", 2),
    ("scene.npy", "lren_tf.io.registry.write_npy", 2),
    ("scene", "lren_tf.plots.save", 1),
    ("scene", "lren_tf.cli.options.threshold.write_csv", 1),
    ("scene", "lren_tf.cli.commands.detect.json_text", 1),
    ("scene", "os.fsync", 9),
]


class TestFailures:
    @pytest.fixture
    def run(self, monkeypatch):
        """Detect in a scene, with earlier outputs there and no time spent on drawing."""
        from matplotlib.figure import Figure

        from lren_tf import plots

        monkeypatch.setattr(plots, "detection_panel", lambda *_, **__: Figure(figsize=(1, 1)))

        def run(name: str) -> int:
            return main(["detect", name, *RX, *CUT, "--out", "out"])

        return run

    def earlier(self, name: str, run) -> dict[str, bytes | None]:
        cube = scene(20, 24, (15, 11))[0]
        if name.endswith(".mat"):
            mat(name, data=cube)
        elif name.endswith(".npy"):
            np.save(name, cube)
        else:
            write(name, cube, "turned")
        assert run(name) == 0
        for path in Path("out").iterdir():
            path.write_text("earlier")
        return files()

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    @pytest.mark.parametrize(("name", "late", "number"), WRITERS)
    def test_half_a_file(self, name, late, number, error, run, monkeypatch, capsys):
        before = self.earlier(name, run)
        module, _, function = late.rpartition(".")
        write_whole = getattr(importlib.import_module(module), function)
        calls = []

        def write_half(*given, **options):
            calls.append(given)
            if len(calls) < number:
                return write_whole(*given, **options)
            for target in given:
                if isinstance(target, Path):
                    target.write_bytes(b"half")
            raise error

        monkeypatch.setattr(late, write_half)
        capsys.readouterr()
        code, said = 2, "cannot hold what is to be written (No space left on device); expected room"
        if isinstance(error, KeyboardInterrupt):
            code, said = 130, "lren-tf: interrupted."
        assert run(name) == code
        assert len(calls) == number
        assert files() == before
        assert said in capsys.readouterr().err.splitlines()[-1]

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits of a process")
    @pytest.mark.parametrize("name", ["scene", "scene.tif", "scene.mat", "scene.npy"])
    def test_a_file_that_finds_no_room(self, name, run, capsys):
        """The system lets no file grow beyond half of a map."""
        import resource

        before = self.earlier(name, run)
        capsys.readouterr()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            assert run(name) == 2
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert files() == before
        assert "cannot hold what is to be written (File too large)" in capsys.readouterr().err


@pytest.mark.data
class TestRealScenes:
    @pytest.mark.parametrize(
        ("name", "shape", "suffix"),
        [("LHData.hdr", (100, 100), ".hdr"), ("HYDICE_v73.mat", (80, 100), ".mat")],
    )  # fmt: skip
    def test_detect_runs(self, real_scenes, name, shape, suffix):
        path = real_scenes / "formats" / name
        if not path.is_file():
            pytest.skip(f"LREN_TF_DATA names no folder with formats/{name}")
        assert main(["detect", str(path), *SMALL, *CUT]) == 0
        score = load_map(f"{path.stem}_score{suffix}")
        assert score.shape == shape and score.dtype == np.float32
        assert np.isfinite(score).all() and score.std() > 0
        np.testing.assert_array_equal(score, np.load(f"{path.stem}_score.npy"))
        assert set(np.unique(load_map(f"{path.stem}_mask{suffix}"))) == {0, 1}
