"""Files of a release agree with setup.cfg: recipe, image, citation, README of the index, list."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from datetime import date
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lren_tf import detectors
from lren_tf.version import __version__

ROOT = Path(__file__).parents[2]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
OTHER_NAMES = {"matplotlib": "matplotlib-base"}
"""Package index -> conda-forge."""
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
"""What a form may consist of."""
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def lines(section: str, option: str) -> list[str]:
    return [line for line in SETUP[section][option].splitlines() if line]


def source() -> str:
    """Address of the repository."""
    return dict(line.split(" = ") for line in lines("metadata", "project_urls"))["Source"]


def requirements(listed: list[str]) -> dict[str, SpecifierSet]:
    found = map(Requirement, listed)
    return {each.name: each.specifier for each in found}


@pytest.fixture(scope="module")
def readme() -> str:
    spec = importlib.util.spec_from_file_location("setup_file", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.long_description()


@pytest.fixture(scope="module")
def recipe() -> dict:
    return yaml.safe_load(Environment().from_string(text("release/conda/meta.yaml")).render())


@pytest.fixture(scope="module")
def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions of each stage by its name."""
    joined = text("release/Dockerfile").replace("\\\n", " ")
    found: dict[str, list[tuple[str, str]]] = {"": []}
    stage = ""
    for line in joined.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.partition(" AS ")[2]
            assert stage and stage not in found
            found[stage] = []
        found[stage].append((word, " ".join(rest.split())))
    return found


class TestAddress:
    """One address, that of setup.cfg, wherever a file needs one."""

    def test_of_the_project(self):
        for line in lines("metadata", "project_urls"):
            assert line.partition(" = ")[2].startswith(source())

    def test_of_the_citation(self):
        citation = yaml.safe_load(text("CITATION.cff"))
        assert {citation["url"], citation["repository-code"]} == {source()}

    def test_of_recipe_and_forms(self):
        for name in ("release/conda/meta.yaml", ".github/ISSUE_TEMPLATE/config.yml"):
            found = re.findall(r"https://\S+", text(name))
            assert found and all(address.startswith(source()) for address in found), name


class TestReadme:
    """README.md as the package index shows it."""

    def test_every_link_is_an_address(self, readme):
        targets = re.findall(r"\]\(([^)\s]+)\)", readme)
        assert len(targets) > 20
        assert not [target for target in targets if not target.startswith("https://")]

    def test_links_lead_to_files_of_the_version(self, readme):
        own = re.findall(rf"\]\({re.escape(source())}/(blob|raw)/v([^/]+)/([^)#]+)[)#]", readme)
        assert {version for _, version, _ in own} == {__version__}
        for kind, _, path in own:
            assert (ROOT / path).exists(), path
            assert (kind == "raw") == path.endswith(".png"), path

    def test_nothing_else_changes(self, readme):
        without = re.compile(r"\]\([^)]*\)")
        assert without.sub("]()", readme) == without.sub("]()", text("README.md"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("CITATION.cff", "scenes: {all} detectors with one interface"),
        ("README.md", "{others} methods to compare it with"),
        ("README.md", "all {all} methods"),
        ("docs/README.md", "all {all} detectors"),
        ("docs/architecture.md", "{all} methods with one interface"),
        ("notebooks/5_plugin_detector.ipynb", "like the {all} of this project"),
    ],
)
def test_the_number_of_detectors(name, sentence):
    words = {12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen"}
    count = len(detectors._HOMES)
    assert sentence.format(all=words[count], others=words[count - 1]) in text(name)


def test_one_version():
    recipe = re.search(r'set version = "(.+)"', text("release/conda/meta.yaml"))[1]
    assert {yaml.safe_load(text("CITATION.cff"))["version"], recipe} == {__version__}


class TestRecipe:
    """The recipe for conda says what setup.cfg says."""

    def named(self, listed: dict[str, SpecifierSet]) -> dict[str, SpecifierSet]:
        return {OTHER_NAMES.get(name, name): spec for name, spec in listed.items()}

    def test_what_it_needs(self, recipe):
        wanted = self.named(requirements(lines("options", "install_requires")))
        python = SpecifierSet(SETUP["options"]["python_requires"])
        assert requirements(recipe["requirements"]["run"]) == {**wanted, "python": python}

    def test_what_the_extras_need(self, recipe):
        extras = dict(SETUP["options.extras_require"])
        users = {name: extras[name] for name in extras if name not in ("dev", "docs", "gpu")}
        wanted = requirements(" ".join(users.values()).split())
        # dask[distributed] is two packages of conda-forge.
        wanted["distributed"] = wanted["dask"]
        assert requirements(recipe["requirements"]["run_constrained"]) == self.named(wanted)

    def test_how_it_is_built(self, recipe):
        host = requirements(recipe["requirements"]["host"])
        assert host["python"] == SpecifierSet(SETUP["options"]["python_requires"])
        dev = requirements(lines("options.extras_require", "dev"))
        assert host["setuptools"] == dev["setuptools"]
        assert recipe["build"]["noarch"] == "python"
        folder = (ROOT / "release" / "conda" / recipe["source"]["path"]).resolve()
        assert folder == ROOT

    def test_what_it_is(self, recipe):
        assert recipe["package"]["name"] == SETUP["metadata"]["name"]
        assert recipe["about"]["summary"] == SETUP["metadata"]["description"]
        assert recipe["about"]["license"] == SETUP["metadata"]["license"]
        assert recipe["build"]["entry_points"] == lines("options.entry_points", "console_scripts")


def named_extras(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Package and extra of every `needs` of a module, which refuses what lacks the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "needs":
            given = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if len(given) == len(node.args):
                yield given[0], given[2] if len(given) == 3 else "geo"


class TestExtras:
    """Extras that messages and pages name have what is missing."""

    def test_what_a_refusal_names_is_installed_by_its_extra(self):
        modules = (ROOT / "lren_tf").rglob("*.py")
        found = {
            pair for path in modules
            for pair in named_extras(ast.parse(path.read_text(encoding="utf-8")))
        }  # fmt: skip
        assert {("rasterio", "geo"), ("rasterio", "vector"), ("spectral", "geo")} <= found
        for package, extra in found:
            listed = requirements(lines("options.extras_require", extra))
            assert package in listed, (package, extra)

    def test_extras_that_are_named_exist(self):
        extras = set(SETUP["options.extras_require"])
        paths = [*(ROOT / "lren_tf").rglob("*.py"), *(ROOT / "docs").glob("*.md")]
        for path in [*paths, ROOT / "README.md", ROOT / "RELEASING.md"]:
            for named in re.findall(r"lren-tf\[([a-z,]+)\]", path.read_text(encoding="utf-8")):
                assert set(named.split(",")) <= extras, (path.name, named)


class TestImage:
    """The Dockerfile, as far as it can be read without an engine."""

    def test_its_instructions_are_known(self, stages):
        known = {"ARG", "FROM", "COPY", "RUN", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"}
        assert {word for stage in stages.values() for word, _ in stage} <= known

    def test_every_stage_begins_with_one_that_exists(self, stages):
        before = set()
        for name, instructions in stages.items():
            if name:
                base = instructions[0][1].partition(" AS ")[0]
                assert base in before or base == "python:${PYTHON}-slim"
                before.add(name)
        assert {"cpu", "gpu"} <= before

    def test_its_python_is_allowed(self, stages):
        (argument,) = (rest for word, rest in stages[""] if word == "ARG")
        assert SpecifierSet(SETUP["options"]["python_requires"]).contains(argument.split("=")[1])

    def test_it_is_built_from_files_that_are_sent(self, stages):
        copied = {
            name for word, rest in stages["wheel"] if word == "COPY" for name in rest.split()[:-1]
        }
        assert all((ROOT / name).exists() for name in copied)
        ignored = text("release/Dockerfile.dockerignore").splitlines()
        assert "*" in ignored
        assert {line[1:] for line in ignored if line.startswith("!")} == copied

    @pytest.mark.parametrize("target", ["cpu", "gpu"])
    def test_it_installs_extras_that_exist(self, stages, target):
        (run,) = (rest for word, rest in stages[target] if word == "RUN")
        extras = set(re.search(r"\[([a-z,]+)\]", run)[1].split(","))
        assert extras <= set(SETUP["options.extras_require"])
        assert ("gpu" in extras) == (target == "gpu")

    def test_its_command_is_installed(self, stages):
        (entry,) = (rest for word, rest in stages["base"] if word == "ENTRYPOINT")
        names = [line.split(" = ")[0] for line in lines("options.entry_points", "console_scripts")]
        assert yaml.safe_load(entry) == names

    @pytest.mark.parametrize("target", ["cpu", "gpu", "wheel"])
    def test_its_commands_are_those_of_a_shell(self, stages, target):
        for word, rest in stages[target]:
            if word == "RUN":
                subprocess.run(["sh", "-n", "-c", rest], check=True, timeout=60)


class TestForms:
    """Forms for issues, by the rules of their host."""

    @pytest.mark.parametrize("form", [p for p in FORMS if p.stem != "config"], ids=lambda p: p.stem)
    def test_a_form(self, form):
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(content)
        assert {part["type"] for part in content["body"]} <= KINDS
        ids = [part["id"] for part in content["body"]]
        assert len(ids) == len(set(ids))
        assert all(part["attributes"]["label"] for part in content["body"])
        assert "lren-tf info" in form.read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", ["fault", "format"])
    def test_reports_have_what_they_need(self, name):
        content = yaml.safe_load(text(f".github/ISSUE_TEMPLATE/{name}.yml"))
        needed = {
            part["id"] for part in content["body"] if part.get("validations", {}).get("required")
        }
        assert {"info", "versions"} <= needed


class TestList:
    """The commands of RELEASING.md do what it says."""

    def blocks(self) -> list[str]:
        fenced = re.compile(r"^( *)```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
        found = fenced.findall(text("RELEASING.md"))
        return [
            "\n".join(line.removeprefix(indent) for line in body.splitlines())
            for indent, body in found
        ]

    def block(self, containing: str) -> str:
        (found,) = (block for block in self.blocks() if containing in block)
        return found

    @pytest.fixture
    def copy(self, tmp_path) -> Path:
        """The files that the commands change."""
        for name in (
            "setup.cfg", "CITATION.cff", "CHANGELOG.md", "RELEASING.md", "lren_tf/version.py",
        ):  # fmt: skip
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
        for folder in ("release", ".github"):
            shutil.copytree(ROOT / folder, tmp_path / folder)
        return tmp_path

    def run(self, command: str, where: Path) -> None:
        subprocess.run(["bash", "-euc", command], cwd=where, check=True, timeout=60)

    def test_all_are_commands(self):
        assert len(self.blocks()) > 12
        for block in self.blocks():
            subprocess.run(["bash", "-n", "-c", block], check=True, timeout=60)

    def test_targets_of_make_exist(self):
        targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
        for name in ("RELEASING.md", "CONTRIBUTING.md"):
            used = set(re.findall(r"\bmake ([a-z-]+)", text(name)))
            assert used and used <= targets, name

    def test_the_version_is_set_everywhere(self, copy):
        self.run(self.block("__version__ = "), copy)
        citation = yaml.safe_load((copy / "CITATION.cff").read_text(encoding="utf-8"))
        assert citation["version"] == "1.0.0"
        assert citation["date-released"] <= date.today()
        assert '__version__ = "1.0.0"' in (copy / "lren_tf/version.py").read_text("utf-8")
        assert 'set version = "1.0.0"' in (copy / "release/conda/meta.yaml").read_text("utf-8")

    def test_the_changelog_is_cut(self, copy):
        self.run(self.block("Unreleased"), copy)
        headings = re.findall(r"^## .*", (copy / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
        assert headings[0] == "## [Unreleased]"
        assert re.fullmatch(r"## \[1\.0\.0\] - \d{4}-\d\d-\d\d", headings[1])

    def test_the_address_is_set_everywhere(self, copy):
        if "git.example" not in source():
            pytest.skip("the repository has an address")
        command = self.block("git\\.example").splitlines()[0]
        self.run(command, copy)
        left = [
            path.name
            for path in copy.rglob("*")
            if path.is_file() and source() in path.read_text(encoding="utf-8")
        ]
        assert not left
        assert "github.com/OWNER/lren_tf" in (copy / "setup.cfg").read_text(encoding="utf-8")
