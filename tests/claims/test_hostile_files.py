import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.claims import read_claim_file
from causalnet.claims.guards import MAX_DEPTH, MAX_MARKS
from causalnet.claims.source_text import MAX_BYTES
from causalnet.errors import ClaimFileError
from tests.claims.claim_text import VALID, read, replaced

ALIASES = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)
BOMBS = {
    "brackets": "[" * 200_000,
    "braces": "{" * 200_000,
    "quoted keys": '{"a":' * 100_000,
    "dashes": "- " * 9_000,
    "questions": "? " * 9_000,
    "deep indentation": "".join(" " * i + "a:\n" for i in range(100)),
    "aliases": ALIASES,
    "many entries": "a: [" + "1," * 100_000 + "]",
    "many lines": "a: 1\n" * 100_000,
    "digits": "a: " + "9" * 300_000,
    "digits of a float": "a: 1." + "9" * 300_000 + "e5",
    "exponent": "a: 1e" + "9" * 300_000,
    "one word": "a" * 1_000_000,
    "open quote": '"' + "a" * 1_000_000,
    "escapes": '"' + "\\" * 900_000,
    "spaces": "a:" + " " * 1_000_000,
    "line ends": "\n" * 1_000_000,
    "comment": "# " + "x" * 1_000_000,
    "too large": "a" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_after_work_that_is_linear_in_the_text(name: str, tmp_path: Path) -> None:
    """The work is counted in calls of Python functions, so that no clock is asked."""
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name])
    calls = Counter[str]()

    def count(frame: FrameType, event: str, argument: object) -> None:
        calls[event] += 1

    sys.setprofile(count)
    try:
        with pytest.raises(ClaimFileError):
            read_claim_file(path)
    finally:
        sys.setprofile(None)
    assert calls["call"] < 8 * len(BOMBS[name]) + 30_000  # the parser: 6 for each character


def test_nesting_just_below_the_bound_is_read_and_above_is_not() -> None:
    for opening, closing in (("[", "]"), ("- ", ""), ("{a: ", "}")):
        text = opening * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1)
        with pytest.raises(ClaimFileError, match=r"a mapping|Missing key|Unknown"):
            read(text)
        text = opening * (MAX_DEPTH + 1) + "1" + closing * (MAX_DEPTH + 1)
        with pytest.raises(ClaimFileError, match="nested deeper than 64"):
            read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (replaced("[L1.H0, L1.H2, L0.H3]", "&c [L1.H0]"), "An anchor"),
        (replaced("    circuit: [L1.H0]", "    circuit: *c"), "An alias"),
        (replaced("title: Indirect", "title: !!python/object:os.system Indirect"), "A tag"),
        (replaced("schema: 1\n", "%YAML 1.1\n---\nschema: 1\n"), "A directive"),
        (replaced("  bos: false", "  <<: {bos: false}"), "Merge keys"),
        (replaced("  bos: false", "\tbos: false"), "A tab"),
        (replaced("  bos: false", "  1: false"), "not a word"),
        (replaced("  bos: false", "  [bos]: false"), "not a word"),
        (VALID + "---\nschema: 1\n", "A second document"),
        ("---\n" + VALID + "---\nschema: 1\n", "A second document"),
        (replaced("title: Indirect", "title: a\x07b"), "control character"),
        (replaced("title: Indirect objects", 'title: "a\\eb"'), "control character"),
        (replaced("title: Indirect objects", 'title: "a\\ud800b"'), "control character"),
        (replaced("title: Indirect objects", 'title: "\\UFFFFFFFF"'), "not YAML"),
        (replaced("title: Indirect objects", "title: a: b"), "not YAML"),
        (replaced("title: Indirect objects", 'title: "a'), "not YAML"),
        (replaced("[L1.H0, L1.H2, L0.H3]", "[L1.H0"), "not YAML"),
        ("", "says nothing"),
        ("# only a comment\n", "says nothing"),
        ("a: 1\n" * MAX_MARKS, "are read"),
    ],
)
def test_what_a_claim_file_needs_not_is_refused(text: str, words: str) -> None:
    with pytest.raises(ClaimFileError, match=words):
        read(text)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_bytes(b"schema: 1\ntitle: caf\xe9\n")
    with pytest.raises(ClaimFileError, match="0xe9 is not UTF-8") as caught:
        read_claim_file(path)
    assert (caught.value.line, caught.value.column) == (2, 11)
    with pytest.raises(ClaimFileError, match="cannot be read"):
        read_claim_file(tmp_path / "absent.yaml")
    with pytest.raises(ClaimFileError, match="cannot be read"):
        read_claim_file(tmp_path)
    with pytest.raises(ClaimFileError, match="cannot be read"):
        read_claim_file("a\0b")
    path.write_bytes(b"\xef\xbb\xbf" + VALID.encode())
    assert read_claim_file(path).title == "Indirect objects"


MARKS = (
    "[ ] { } : - , ? | > & * ! % @ ` # ' \" \\ \n \t . ~ << .nan .inf 1e999 0x1F 2020-01-01 null"
)
WORDS = "true --- ... schema claims circuit at_least L0.H0 L99.H99 \\x00 \u202e \U0001f600 \0 []"
ODDITIES = (" ", "  ", "- id: ", "{}", '""', "9" * 30, "\r", "\x85", "\u2028", "\ufeff")
PIECES = st.sampled_from((*MARKS.split(" "), *WORDS.split(" "), *ODDITIES))
EDITS = st.lists(
    st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), st.lists(PIECES, max_size=3)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(EDITS)
def test_a_changed_file_is_read_or_refused(edits: list[tuple[int, int, list[str]]]) -> None:
    text = VALID
    for start, removed, pieces in edits:
        text = text[:start] + "".join(pieces) + text[start + removed :]
    outcome(text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.lists(PIECES, max_size=20).map("".join))
def test_any_text_is_refused(text: str) -> None:
    outcome(text)


def outcome(text: str) -> None:
    """Whatever the text, reading it ends well or with our error, which can be printed."""
    try:
        read(text)
    except ClaimFileError as error:
        str(error).encode()
