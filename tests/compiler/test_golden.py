"""Programs print as the golden files say, after each pass."""

import pytest

from tests.compiler.golden import FOLDER, QUERIES, text_of


@pytest.mark.parametrize("name", QUERIES)
def test_programs_print_as_they_did(name: str) -> None:
    """After a change that is meant: `python -m tests.compiler.golden`."""
    assert text_of(name) == (FOLDER / f"{name}.txt").read_text()


def test_every_file_belongs_to_a_query() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(QUERIES)
