"""What the text given to `load` means, and what is said when it means nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from causalnet.errors import ModelFileError, ModelNotFoundError
from causalnet.models import load
from causalnet.models.sources import FolderSource, GGUFSource, HubSource, find_source


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a model file in it, which must not be imported."""
    folder = tmp_path / "weights_only"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "small.gguf").write_bytes(b"GGUF")
    (tmp_path / "secret.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder.name


def test_a_file_in_a_package_is_found_without_importing_it(package: str, tmp_path: Path) -> None:
    found = find_source(f"package://{package}/small.gguf")
    assert found == GGUFSource((tmp_path / package / "small.gguf").resolve())
    assert package not in sys.modules


def test_a_missing_file_in_a_package_names_those_there(package: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"has no file 'big\.gguf'.*small\.gguf") as caught:
        load(f"package://{package}/big.gguf")
    assert f"package://{package}/small.gguf" in caught.value.write


def test_a_package_source_does_not_leave_the_package(package: str) -> None:
    with pytest.raises(ModelNotFoundError, match="has no file"):
        load(f"package://{package}/../secret.gguf")


@pytest.mark.parametrize("name", ["no_such_package_here", "no-such-package", "a.b", ""])
def test_a_missing_package_says_how_to_install_it(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"pip install|package://PACKAGE"):
        load(f"package://{name}/m.gguf")


def test_a_module_that_is_no_package_has_no_files() -> None:
    with pytest.raises(ModelNotFoundError, match="no package 'this'"):
        load("package://this/m.gguf")
    assert "this" not in sys.modules


@pytest.mark.parametrize("name", ["missing.gguf", "./missing", "missing/", "/missing/m.gguf"])
def test_a_missing_path_says_what_lies_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.gguf").touch()
    with pytest.raises(ModelNotFoundError, match="There is no file or folder") as caught:
        load(name)
    said = "Nor is there a folder" if name.startswith("/") else "other.gguf"
    assert said in caught.value.possible


def test_a_missing_path_object_is_no_hub_name() -> None:
    with pytest.raises(ModelNotFoundError, match="no file or folder 'gpt2-missing'"):
        load(Path("gpt2-missing"))


def test_folders_and_files_come_before_hub_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_source("gpt2") == HubSource("gpt2")
    (tmp_path / "gpt2").mkdir()
    assert find_source("gpt2") == FolderSource(Path("gpt2"))


def test_a_file_of_weights_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.touch()
    with pytest.raises(ModelFileError, match="weights only") as caught:
        load(path)
    assert str(tmp_path) in caught.value.write


def test_a_file_that_is_no_gguf_is_refused_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"\x89PNG" + bytes(100))
    with pytest.raises(ModelFileError, match=r"begins with b'\\x89PNG'"):
        load(path)


def test_a_mistyped_name_is_told_before_torch_is_imported() -> None:
    program = """
import sys
from causalnet.errors import ModelNotFoundError
from causalnet.models import load
try:
    load("package://no_such_package_here/m.gguf")
except ModelNotFoundError:
    print(sorted(name for name in ("torch", "transformers", "numpy") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]", done.stderr
