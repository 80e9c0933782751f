import errno
import os
import stat
import sys

import pytest

from lren_tf.errors import InputError
from lren_tf.runtime.files import (
    as_path,
    atomic_folder,
    atomic_path,
    atomic_paths,
    ensure_writable_folder,
    ensure_writable_target,
)


def test_content_appears_only_at_the_end(tmp_path):
    target = tmp_path / "scores.npy"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["scores.npy"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "scores.npy"
    target.write_text("old")

    def write_and_fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.npy"]


def test_failed_replacement_is_cleaned_up(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("device gone")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="device gone"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.npy", "model.weights.h5", "b.keras", "no_suffix"])
def test_suffixes_are_kept(tmp_path, name):
    suffixes = name[name.index(".") :] if "." in name else ""
    with atomic_path(tmp_path / name) as temporary:
        assert temporary.name.endswith(suffixes)
        assert temporary.name != name
    assert os.listdir(tmp_path) == [name]


def test_flushed_before_it_replaces(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    with atomic_path(tmp_path / "a.txt"):
        pass
    assert calls[:2] == ["fsync", "replace"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permission bits")
def test_mode_follows_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        with atomic_path(tmp_path / "a.txt"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_missing_folders_are_made(tmp_path):
    with atomic_path(str(tmp_path / "x" / "y" / "a.txt")) as temporary:
        temporary.write_text("deep")
    assert (tmp_path / "x" / "y" / "a.txt").read_text() == "deep"


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "a.txt")
    with atomic_path(link) as temporary:
        temporary.write_text("x")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.txt").read_text() == "x"


def test_a_folder_is_no_target(tmp_path):
    with pytest.raises(InputError, match="is a folder"), atomic_path(tmp_path):
        pytest.fail("the body must not run")


class TestEnsureWritableFolder:
    def test_makes_it_and_leaves_nothing_in_it(self, tmp_path):
        folder = ensure_writable_folder(tmp_path / "a" / "b")
        assert folder == tmp_path / "a" / "b"
        assert os.listdir(folder) == []
        assert ensure_writable_folder(folder) == folder

    def test_a_file_is_in_the_way(self, tmp_path):
        (tmp_path / "a").write_text("x")
        with pytest.raises(InputError, match="is a file"):
            ensure_writable_folder(tmp_path / "a")
        with pytest.raises(InputError, match="cannot be written"):
            ensure_writable_folder(tmp_path / "a" / "b")

    @pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a read-only file system")
    @pytest.mark.parametrize("folder", ["/proc/self", "/proc/lren_tf/a"])
    def test_a_file_system_that_takes_no_files_even_from_root(self, folder):
        with pytest.raises(InputError, match=f"{folder} cannot be written"):
            ensure_writable_folder(folder)

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permission bits bind users only"
    )
    def test_a_folder_without_permission(self, tmp_path):
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(InputError, match="cannot be written"):
                ensure_writable_folder(tmp_path)
        finally:
            tmp_path.chmod(0o700)


@pytest.mark.parametrize("path", [None, 3, "a\0b", "x" * 5000])
def test_what_is_no_path(path):
    with pytest.raises(InputError, match="not a usable path"):
        as_path(path)


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert as_path("~/a") == tmp_path / "a"


def test_files_that_belong_together(tmp_path, monkeypatch):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("old")
    second.write_text("old")

    def write():
        with atomic_paths(first, second) as (one, two):
            one.write_text("new")
            two.write_text("new")
            assert first.read_text() == second.read_text() == "old"

    flushed = []

    def fail_on_the_second(descriptor):
        flushed.append(descriptor)
        if len(flushed) == 2:
            raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_on_the_second)
        with pytest.raises(OSError, match="disk full"):
            write()
    assert first.read_text() == second.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt"]
    write()
    assert first.read_text() == second.read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt"]


class TestMovesThatFail:
    """Three files, of which the second is new; the move of one of them fails."""

    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        for name in "ac":
            (tmp_path / name).write_text("old")

        def run(number, error):
            replace, calls = os.replace, []

            def failing(source, target):
                calls.append(target)
                if len(calls) == number:
                    raise error
                replace(source, target)

            with monkeypatch.context() as patch:
                patch.setattr(os, "replace", failing)
                with atomic_paths(*(tmp_path / name for name in "abc")) as temporary:
                    for path in temporary:
                        path.write_text("new")

        return run

    @pytest.mark.parametrize("number", [1, 2, 3])
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("device gone")])
    def test_those_before_are_undone(self, tmp_path, run, number, error):
        with pytest.raises(type(error)):
            run(number, error)
        assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old", "c": "old"}
        run(0, error)
        assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys("abc", "new")

    def test_without_links_there_is_no_way_back(self, tmp_path, run, monkeypatch):
        def refuse(*arguments):
            raise PermissionError(1, "no links here")

        monkeypatch.setattr(os, "link", refuse)
        with pytest.raises(OSError, match="device gone"):
            run(3, OSError("device gone"))
        assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new", "c": "old"}
        run(0, None)
        assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys("abc", "new")


class TestFullDisk:
    ERRORS = (
        OSError(errno.ENOSPC, "x"),
        OSError(errno.EDQUOT, "x"),
        # As libraries in C say it, without the number.
        OSError(f"Can't write data (error message = '{os.strerror(errno.ENOSPC)}')"),
    )

    @pytest.mark.parametrize("error", ERRORS)
    def test_it_is_one_sentence_and_leaves_nothing(self, tmp_path, error):
        (tmp_path / "a.txt").write_text("old")

        def fill(writing):
            with writing as made:
                (made[0] if isinstance(made, list) else made / "b").write_text("half")
                raise error

        for writing in (
            atomic_paths(tmp_path / "a.txt", tmp_path / "b.txt"), atomic_folder(tmp_path / "c")
        ):  # fmt: skip
            with pytest.raises(InputError, match="cannot hold what is to be written") as refusal:
                fill(writing)
            assert str(tmp_path) in str(refusal.value)
            assert refusal.value.__cause__ is error
        assert os.listdir(tmp_path) == ["a.txt"]
        assert (tmp_path / "a.txt").read_text() == "old"

    def test_other_errors_stay_what_they_are(self, tmp_path):
        for error in (PermissionError(13, "no"), ValueError("No space left on device")):
            with pytest.raises(type(error), match=r"no|No"), atomic_paths(tmp_path / "a"):
                raise error


def test_second_target_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="is a folder"), atomic_paths(tmp_path / "a", tmp_path):
        raise AssertionError("not reached")
    assert os.listdir(tmp_path) == []


class TestEnsureWritableTarget:
    def test_nothing_is_made(self, tmp_path):
        target = tmp_path / "new" / "deeper" / "a.npy"
        assert ensure_writable_target(target) == target
        assert os.listdir(tmp_path) == []

    def test_refusals(self, tmp_path):
        with pytest.raises(InputError, match=r"is a folder; expected a file to write"):
            ensure_writable_target(tmp_path)
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=r"file is a file; expected a folder"):
            ensure_writable_target(tmp_path / "file" / "deeper" / "a.npy")
        with pytest.raises(InputError, match="not a usable path"):
            ensure_writable_target(tmp_path / ("x" * 300))
        for missing in ("new", "new/" + "y" * 300):  # folders that are not there yet
            with pytest.raises(InputError, match=r" … .{60} is not a usable path \(File nam"):
                ensure_writable_target(tmp_path / missing / ("x" * 300))

    def test_folder_that_refuses_files(self, tmp_path, monkeypatch):
        def refuse(**keywords):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("lren_tf.runtime.files.tempfile.NamedTemporaryFile", refuse)
        with pytest.raises(InputError, match=r"cannot be written \(Permission denied\)"):
            ensure_writable_target(tmp_path / "new" / "a.npy")


class TestAtomicFolder:
    def fill(self, folder, text="new"):
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text(text)

    def content(self, folder):
        return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}

    @pytest.mark.parametrize("before", ["nothing", "empty", "full"])
    def test_appears_whole_and_replaces_what_was_there(self, tmp_path, before):
        target = tmp_path / "around" / "target"
        if before != "nothing":
            target.mkdir(parents=True)
        if before == "full":
            (target / "old").write_text("old")
        with atomic_folder(target) as temporary:
            assert temporary.parent == target.parent
            self.fill(temporary)
            assert not (target / "deep").exists()
        assert self.content(target) == {os.path.join("deep", "file"): "new"}
        assert os.listdir(target.parent) == ["target"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_failure_leaves_the_old_folder_and_nothing_else(self, tmp_path, error):
        target = tmp_path / "target"
        target.mkdir()
        (target / "old").write_text("old")

        def write_and_fail():
            with atomic_folder(target) as temporary:
                self.fill(temporary)
                raise error

        with pytest.raises(error):
            write_and_fail()
        assert self.content(target) == {"old": "old"}
        assert os.listdir(tmp_path) == ["target"]

    def test_a_failed_renaming_puts_the_old_folder_back(self, tmp_path, monkeypatch):
        target = tmp_path / "target"
        target.mkdir()
        (target / "old").write_text("old")
        rename, calls = os.rename, []

        def second_fails(source, destination):
            calls.append(source)
            if len(calls) == 2:
                raise OSError("device gone")
            rename(source, destination)

        monkeypatch.setattr(os, "rename", second_fails)
        with pytest.raises(OSError, match="device gone"), atomic_folder(target) as temporary:
            self.fill(temporary)
        assert self.content(target) == {"old": "old"}
        assert os.listdir(tmp_path) == ["target"]

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").write_text("x")
        refused = pytest.raises(InputError, match="file is a file; expected a folder")
        with refused, atomic_folder(tmp_path / "file"):
            pass
        assert os.listdir(tmp_path) == ["file"]

    def test_a_link_is_written_through(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with atomic_folder(tmp_path / "link") as temporary:
            self.fill(temporary)
        assert (tmp_path / "link").is_symlink()
        assert self.content(tmp_path / "real") == {os.path.join("deep", "file"): "new"}


def test_the_longest_names_that_a_folder_holds(tmp_path):
    for name in ("x" * 251 + ".npy", "a." + "x" * 249 + ".npy", "a" * 243 + ".weights.h5"):
        target = tmp_path / "new" / name
        assert ensure_writable_target(target) == target
        with atomic_path(target) as temporary:
            assert temporary.name.endswith(".weights.h5" if "weights" in name else ".npy")
            temporary.write_text("x")
        assert target.read_text() == "x"
