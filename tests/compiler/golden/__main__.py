"""Writes the golden files anew."""

from tests.compiler.golden import FOLDER, QUERIES, text_of

for name in QUERIES:
    (FOLDER / f"{name}.txt").write_text(text_of(name))
