"""What is installed is what the repository holds, below the one name `causalnet`."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import CODE_FOLDERS, ROOT, source_files

LINKED = ("graphs", "interventions", "identification", "examples")
IMPORT_EVERY_MODULE = """
import importlib, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
for path in sorted(folder.glob("causalnet/**/*.py")):
    name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    if name.endswith("__main__"):
        continue
    module = importlib.import_module(name)
    assert pathlib.Path(module.__file__) == path, (name, module.__file__)
    print(name)
"""


def setuptools_table() -> dict[str, object]:
    """The table [tool.setuptools] of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    table: dict[str, object] = project["tool"]["setuptools"]
    return table


def installed_name(folder: Path) -> str:
    """The package's name for a folder of the repository."""
    parts = folder.relative_to(ROOT).parts
    return ".".join(parts if parts[0] == "causalnet" else ("causalnet", *parts))


def test_packages_are_the_folders_with_an_init() -> None:
    folders = {path.parent for path in source_files() if path.name == "__init__.py"}
    assert sorted(map(installed_name, folders)) == setuptools_table()["packages"]


def test_root_folders_are_mapped_below_causalnet() -> None:
    mapped = setuptools_table()["package-dir"]
    assert mapped == {"causalnet": "causalnet"} | {f"causalnet.{name}": name for name in LINKED}


@pytest.mark.parametrize("name", LINKED)
def test_links_are_links(name: str) -> None:
    link = ROOT / "causalnet" / name
    advice = (
        f"causalnet/{name} must be a link to ../{name}. On Windows switch on developer mode and "
        f"clone with `git clone -c core.symlinks=true`; elsewhere run "
        f"`ln -sfn ../{name} causalnet/{name}`."
    )
    assert link.is_symlink(), advice
    assert link.readlink() == Path("..") / name, advice


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves folders in the tree that it builds."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in CODE_FOLDERS:
        shutil.copytree(
            ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pyc*")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy)]
    subprocess.run(build, cwd=copy, check=True, capture_output=True, timeout=300)
    (built,) = copy.glob("*.whl")
    return built


def test_wheel_holds_only_causalnet(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"causalnet", "causalnet_lab-0.1.0.dist-info"}
    assert "causalnet/py.typed" in names


def test_wheel_is_complete(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        "/".join((*installed_name(path.parent).split("."), path.name)) for path in source_files()
    }
    assert modules <= names
    assets = {
        f"causalnet/report/assets/{path.name}"
        for path in (ROOT / "causalnet/report/assets").iterdir()
    }
    claims = {f"causalnet/examples/{path.name}" for path in (ROOT / "examples").glob("*.yaml")}
    assert assets | claims <= names


def test_every_module_imports_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERY_MODULE, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    imported = run.stdout.split()
    assert "causalnet.graphs" in imported
    assert len(imported) == len([path for path in source_files() if path.stem != "__main__"])
