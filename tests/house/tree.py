"""Where the repository's files are."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE_FOLDERS = ("causalnet", "graphs", "identification", "interventions", "examples")
TEXT_FOLDERS = (*CODE_FOLDERS, "tests", "bench", "docs", ".ci")
GENERATED = ("__pycache__",)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, links not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in GENERATED:
            continue
        if path.is_dir():
            yield from files_below(path)
        else:
            yield path


def source_files() -> list[Path]:
    """The Python files that are installed."""
    return [
        path
        for folder in CODE_FOLDERS
        for path in files_below(ROOT / folder)
        if path.suffix == ".py"
    ]


def text_files() -> list[Path]:
    """Every text file that is committed, vendored scripts included."""
    suffixes = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".cff", ".json", ".js", ".css", ""}
    found = [path for folder in TEXT_FOLDERS for path in files_below(ROOT / folder)]
    found += [path for path in sorted(ROOT.iterdir()) if path.is_file()]
    return [path for path in found if path.suffix in suffixes]
