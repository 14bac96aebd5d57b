"""A tiny model in both formats, and a folder of its own for converted models."""

from pathlib import Path
from typing import Any

import pytest

from tests.models import tiny_gguf


@pytest.fixture(scope="session")
def tiny() -> Any:
    return tiny_gguf.network()


@pytest.fixture(scope="session")
def tiny_file(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", tiny)


@pytest.fixture(scope="session")
def tiny_folder(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_folder(tmp_path_factory.mktemp("folder"), tiny)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for converted models."""
    monkeypatch.setenv("CAUSALNET_CACHE", str(tmp_path / "converted"))
    return tmp_path / "converted"
