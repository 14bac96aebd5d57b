import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from causalnet.errors import FormatError
from causalnet.store import Archive, open_archive, save_archive

DTYPES = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("bool", "float16", "float32", "float64", "complex64", ">f8", ">i4"),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CONTENT = st.dictionaries(st.text(), JSON, max_size=4)
ARRAYS = st.dictionaries(
    st.text("abäβ.|[] ", max_size=6),
    arrays_of.arrays(st.sampled_from(DTYPES), arrays_of.array_shapes(min_dims=0, min_side=0)),
    max_size=3,
)
SMALL = Archive(
    "effect table",
    {"rows": ["L9.H6", 'naïve \\ "quoted" 😀'], "nested": {"level": 0.95, "none": None}},
    {"values": np.array([[1.5, np.nan], [-0.0, np.inf]]), "counts": np.arange(3, dtype=np.int16)},
)


def content_of(archive: Archive) -> tuple[str, Mapping[str, Any], dict[str, tuple[object, ...]]]:
    """Everything in an archive as comparable values; arrays byte by byte."""
    described: dict[str, tuple[object, ...]] = {}
    for name, array in archive.arrays.items():
        native = array.astype(array.dtype.newbyteorder("="))
        described[name] = (native.dtype.name, native.shape, native.tobytes())
    return archive.kind, archive.content, described


@given(st.text(), CONTENT, ARRAYS)
def test_what_is_saved_is_opened(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    content: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
) -> None:
    archive = Archive(kind, content, arrays)
    path = save_archive(archive, tmp_path_factory.getbasetemp() / "any.causalnet")
    opened = open_archive(path)
    assert content_of(opened) == content_of(archive)
    assert opened.digest() == archive.digest()
    again = save_archive(opened, path.with_name("again.causalnet"))
    assert again.read_bytes() == path.read_bytes()


def test_views_and_columns_are_saved_by_value(tmp_path: Path) -> None:
    whole = np.arange(24.0).reshape(4, 6)
    arrays = {"view": whole[::2, ::-1], "columns": np.asfortranarray(whole), "one": np.array(3.5)}
    opened = open_archive(save_archive(Archive("k", {}, arrays), tmp_path / "a")).arrays
    assert all(np.array_equal(opened[name], arrays[name]) for name in arrays)
    assert opened["one"].shape == ()


def test_content_is_what_json_makes_of_it(tmp_path: Path) -> None:
    """Keys of 9 and 10 sort differently as numbers and as text: the digest must not care."""
    archive = Archive("k", {"rows": ("a", "b"), "by size": {9: "nine", 10: "ten"}}, {})
    opened = open_archive(save_archive(archive, tmp_path / "a"))
    assert opened.content == {"rows": ["a", "b"], "by size": {"9": "nine", "10": "ten"}}
    assert opened.digest() == archive.digest()


def test_not_a_number_is_kept_in_arrays(tmp_path: Path) -> None:
    values = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0])
    values.view(np.uint64)[0] |= 5  # a NaN with a payload
    opened = open_archive(save_archive(Archive("k", {}, {"v": values}), tmp_path / "a"))
    assert opened.arrays["v"].tobytes() == values.tobytes()


@given(CONTENT, CONTENT)
def test_digests_tell_contents_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (Archive("k", one, {}).digest() == Archive("k", other, {}).digest()) == same


def test_digests_tell_arrays_apart() -> None:
    zeros: list[dict[str, NDArray[Any]]] = [
        {"a": np.zeros((2, 3))},
        {"b": np.zeros((2, 3))},
        {"a": np.zeros((3, 2))},
        {"a": np.zeros(6)},
        {"a": np.zeros((2, 3), dtype=np.int64)},
        {"a": -np.zeros((2, 3))},
        {"a": np.zeros((2, 3)), "b": np.zeros(0)},
        {},
    ]
    digests = {Archive("k", {}, arrays).digest() for arrays in zeros}
    assert len(digests | {Archive("other kind", {}, zeros[0]).digest()}) == len(zeros) + 1


def header_end(raw: bytes) -> int:
    """Where the header of a safetensors file ends and the arrays begin."""
    return 8 + int(struct.unpack("<Q", raw[:8])[0])


@pytest.mark.parametrize("flip", [0x01, 0x04, 0x20, 0x80, 0xFF])
def test_one_altered_byte_is_refused_or_changes_nothing(tmp_path: Path, flip: int) -> None:
    """In the arrays every byte counts; in the header, padding and equivalent JSON do not."""
    path = save_archive(SMALL, tmp_path / "a")
    raw = path.read_bytes()
    start, unnoticed = header_end(raw), []
    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= flip
        path.write_bytes(altered)
        try:
            opened = open_archive(path)
        except FormatError:
            continue
        unnoticed.append(place)
        assert content_of(opened) == content_of(SMALL)
    assert all(place < start for place in unnoticed)
    assert len(unnoticed) < 24  # case of hexadecimal escapes and trailing blanks


@settings(max_examples=60)
@given(st.data())
def test_altered_bytes_never_end_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = save_archive(SMALL, tmp_path_factory.getbasetemp() / "altered.causalnet")
    raw = bytearray(path.read_bytes())
    places = st.integers(0, len(raw) - 1)
    for place, byte in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)
    ):
        raw[place] = byte
    path.write_bytes(raw)
    try:
        assert content_of(open_archive(path)) == content_of(SMALL)
    except FormatError as refused:
        assert str(path) in str(refused)


def test_every_truncated_file_is_refused(tmp_path: Path) -> None:
    path = save_archive(SMALL, tmp_path / "a")
    raw = path.read_bytes()
    assert header_end(raw) < len(raw)
    for length in {*range(0, len(raw), 11), 1, 7, 8, header_end(raw), len(raw) - 1}:
        path.write_bytes(raw[:length])
        with pytest.raises(FormatError, match="cannot be read"):
            open_archive(path)
    path.write_bytes(raw + b"\0")
    with pytest.raises(FormatError, match="cannot be read"):
        open_archive(path)


def safetensors_file(
    path: Path, metadata: dict[str, str] | None, dtype: str = "F64", size: int = 8
) -> Path:
    """Write a safetensors file of one number by hand."""
    entry = {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}
    described = json.dumps({"values": entry, **({"__metadata__": metadata} if metadata else {})})
    path.write_bytes(struct.pack("<Q", len(described)) + described.encode() + bytes(size))
    return path


def with_header(path: Path, **changes: object) -> Path:
    """Write a file with a header like ours, but for some fields."""
    header = {"schema": 1, "kind": "k", "content": {}, "digest": "0" * 64, **changes}
    return safetensors_file(path, {"causalnet": json.dumps(header)})


@pytest.mark.parametrize(
    "raw",
    [b"", b"hello", b"PK\x03\x04" + bytes(200), b"\x80\x04K\x01.", b"\xff" * 64, b"{}" * 40],
    ids=["empty", "text", "zip", "pickle", "ones", "json"],
)
def test_other_files_are_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a").write_bytes(raw)
    with pytest.raises(FormatError, match="cannot be read"):
        open_archive(tmp_path / "a")


@pytest.mark.parametrize(("dtype", "size"), [("F64", 8), ("BF16", 2), ("F8_E4M3", 1)])
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_other_peoples_tensors_are_refused(
    tmp_path: Path, metadata: dict[str, str] | None, dtype: str, size: int
) -> None:
    with pytest.raises(FormatError, match="was not written by causalnet"):
        open_archive(safetensors_file(tmp_path / "a", metadata, dtype, size))


@pytest.mark.parametrize(("dtype", "size"), [("BF16", 2), ("F8_E4M3", 1)])
def test_arrays_that_numpy_does_not_know_are_refused(tmp_path: Path, dtype: str, size: int) -> None:
    header = json.dumps({"schema": 1, "kind": "k", "content": {}, "digest": ""})
    path = safetensors_file(tmp_path / "a", {"causalnet": header}, dtype, size)
    with pytest.raises(FormatError, match="array 'values' of an unknown dtype"):
        open_archive(path)


def test_a_later_schema_says_so_before_anything_else(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a", schema=2, signature="a field of the future")
    with pytest.raises(FormatError, match=r"has schema 2\..*reads schema 1\..*newer causalnet"):
        open_archive(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": None},
        {"schema": True},
        {"schema": "1"},
        {"extra": 1},
        {"kind": 3},
        {"content": []},
        {"digest": None},
    ],
)
def test_a_broken_header_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="has a broken header"):
        open_archive(with_header(tmp_path / "a", **changes))


@pytest.mark.parametrize(
    "header", ["", "{", "[1]", "1" * 5000, "[" * 100_000], ids=["", "{", "list", "long", "deep"]
)
def test_a_header_that_is_not_ours_is_refused(tmp_path: Path, header: str) -> None:
    path = safetensors_file(tmp_path / "a", {"causalnet": header})
    with pytest.raises(FormatError, match="has a broken header"):
        open_archive(path)


def test_a_forged_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"was altered.*Compute it again"):
        open_archive(with_header(tmp_path / "a"))


def test_missing_places_are_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    for path in (absent, absent / "a", tmp_path):
        with pytest.raises(FormatError, match=f"There is no file '{path}'"):
            open_archive(path)
    with pytest.raises(FormatError, match=f"There is no folder '{absent}'"):
        save_archive(SMALL, absent / "a")
    with pytest.raises(FormatError, match=f"'{tmp_path}' cannot be written"):
        save_archive(SMALL, tmp_path)
    assert not absent.exists()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"value": float("nan")}, "cannot be written as JSON.*NaN and infinity into arrays"),
        ({"value": float("-inf")}, "cannot be written as JSON"),
        ({"value": {1, 2}}, "cannot be written as JSON"),
        ({"value": np.float32(1)}, "cannot be written as JSON"),
        ({"value": Path("a")}, "cannot be written as JSON"),
    ],
)
def test_content_that_json_cannot_say_is_refused(
    tmp_path: Path, content: dict[str, Any], told: str
) -> None:
    refuses_and_keeps_the_old_file(tmp_path, Archive("k", content, {}), told)


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("a", np.array([None]), "'a' has dtype object. Stored are bool, int8"),
        ("a", np.array(["text"]), "'a' has dtype <U4"),
        ("a", np.zeros(2, dtype=complex), "'a' has dtype complex128"),
        ("a", np.zeros(2, dtype="M8[s]"), "'a' has dtype datetime64"),
        ("__metadata__", np.zeros(2), "cannot be called '__metadata__'"),
        ("\ud800", np.zeros(2), "cannot be called"),
    ],
)
def test_arrays_that_no_file_can_hold_are_refused(
    tmp_path: Path, name: str, array: NDArray[Any], told: str
) -> None:
    refuses_and_keeps_the_old_file(tmp_path, Archive("k", {}, {name: array}), told)


def refuses_and_keeps_the_old_file(folder: Path, archive: Archive, told: str) -> None:
    path = save_archive(SMALL, folder / "a")
    before = path.read_bytes()
    with pytest.raises(FormatError, match=told):
        save_archive(archive, path)
    assert os.listdir(folder) == ["a"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = save_archive(SMALL, tmp_path / "a")
    before = path.read_bytes()

    def fail(_old: object, _new: object) -> None:
        raise error

    expected = FormatError if isinstance(error, OSError) else KeyboardInterrupt
    with monkeypatch.context() as patched, pytest.raises(expected):
        patched.setattr(os, "replace", fail)
        save_archive(Archive("another", {}, {}), path)
    assert os.listdir(tmp_path) == ["a"]
    assert path.read_bytes() == before
    save_archive(Archive("another", {}, {}), path)
    assert open_archive(path).kind == "another"
