import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import AlignmentError, AnswerError, PromptError
from causalnet.tasks import PromptPairs, capitals, greater_than, ioi, read_pairs
from causalnet.tasks.lines import MOST_BYTES, MOST_ROWS
from tests.small_models import word_tokenizer
from tests.tasks.tokenizers_of_words import byte_tokenizer, task_tokenizer

TOKENIZER = task_tokenizer()
ROW: dict[str, object] = {
    "base": "When Mary and John went to the store, John gave a drink to",
    "source": "When Mary and John went to the store, Anna gave a drink to",
    "answer": " Mary",
    "foil": " John",
}


def written(folder: Path, text: str | bytes, name: str = "own.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def as_jsonl(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(folder: Path, text: str | bytes, name: str = "own.jsonl", **options: Any) -> PromptPairs:
    return read_pairs(written(folder, text, name), TOKENIZER, **options)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    policies=st.sampled_from(
        ({}, {"bos": True}, {"chat_template": True}, {"bos": True, "chat_template": True})
    ),
    rows=st.lists(st.integers(0, 4), min_size=1, unique=True),
)
def test_what_was_written_is_read_back(
    smollm2_tokenizer: Any,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    policies: dict[str, bool],
    rows: list[int],
) -> None:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    for generate in (ioi, greater_than, capitals):
        whole = generate(smollm2_tokenizer, n=5, seed=seed, **policies)
        for pairs in (whole, whole.rows(rows)):
            pairs.to_jsonl(path)
            again = read_pairs(path, smollm2_tokenizer)
            assert again == pairs
            assert again.digest() == pairs.digest()


def test_pairs_of_any_source_are_read_back(tmp_path: Path) -> None:
    unaligned = ROW | {"source": "Mary and John, Anna gave a drink to", "answer": [" Mary", " Tom"]}
    for tokenizer in (TOKENIZER, word_tokenizer(["Mary", "left", "?", "\u2028"])):
        if tokenizer is TOKENIZER:
            pairs = PromptPairs.build(tokenizer, [unaligned], align=False, reduction="logsumexp")
        else:
            ids = {"base": [4, 3], "source": [4, 4], "answer": 3, "foil": 4}
            pairs = PromptPairs.build(tokenizer, [ids], bos=True)
        pairs.to_jsonl(tmp_path / "pairs.jsonl")
        assert read_pairs(tmp_path / "pairs.jsonl", tokenizer) == pairs
    letters = PromptPairs.build(
        byte_tokenizer(),
        [{"base": "Zoë ", "source": "Zoé ", "answer": "a", "foil": "b", "positions": {"x": "Zo"}}],
    )
    letters.to_jsonl(tmp_path / "pairs.jsonl")
    assert read_pairs(tmp_path / "pairs.jsonl", byte_tokenizer()) == letters


def test_another_tokenizer_is_noticed(tmp_path: Path, smollm2_tokenizer: Any) -> None:
    ioi(smollm2_tokenizer, n=2).to_jsonl(tmp_path / "pairs.jsonl")
    with pytest.raises(PromptError, match=r"pairs\.jsonl:2, field 'base'"):
        read_pairs(tmp_path / "pairs.jsonl", TOKENIZER)


def test_json_lines_and_csv_say_the_same(tmp_path: Path) -> None:
    row: dict[str, object] = ROW | {"label": "a, b", "template": 'say "x"\nthen y'}
    positions: dict[str, object] = {"IO": "Mary", "S2": 9, "place": [31, 36]}
    first = read(tmp_path, as_jsonl(row | {"positions": positions}))
    with (tmp_path / "own.csv").open("w", newline="") as file:
        names = [*row, "positions.IO", "positions.S2", "positions.place"]
        sheet = csv.DictWriter(file, names)
        sheet.writeheader()
        sheet.writerow(
            row | {"positions.IO": "Mary", "positions.S2": "9", "positions.place": "31:36"}
        )
    second = read_pairs(tmp_path / "own.csv", TOKENIZER)
    assert second.base == first.base
    assert second.labels == first.labels == ("a, b",)
    assert second.digest() == first.digest()
    assert first.base.tokens[0][first.base.positions["place"][0]] == "store"
    assert first.record.name == "file"
    assert first.record.options["file"] == "own.jsonl"


def test_lists_ids_and_sides_in_csv(tmp_path: Path) -> None:
    whole = PromptPairs.build(TOKENIZER, [ROW])
    header = "base_ids,source,answers,foil_ids,positions.x,positions.y,positions"
    cells = [
        json.dumps(whole.base.ids[0]),
        ROW["source"],
        '[" Mary", " Tom"]',
        json.dumps(whole.foils[0]),
        '{"base": 1, "source": 1}',
        "-2",
        '{"z": "When"}',
    ]
    with (tmp_path / "own.csv").open("w", newline="") as file:
        file.write(header + "\r\n")
        csv.writer(file).writerow(cells)
    pairs = read_pairs(tmp_path / "own.csv", TOKENIZER)
    assert pairs.answer_texts == ((" Mary", " Tom"),)
    assert pairs.foils == whole.foils
    places = {name: at[0] for name, at in pairs.base.positions.items()}
    assert places == {"x": 1, "y": 12, "z": 0, "end": 13}


def test_marks_that_editors_leave_are_no_matter(tmp_path: Path) -> None:
    plain = read(tmp_path, as_jsonl(ROW, ROW))
    lines = as_jsonl(ROW, ROW)
    assert read(tmp_path, "\ufeff" + lines).digest() == plain.digest()
    assert read(tmp_path, "\n" + lines.replace("\n", "\r\n\r\n")).digest() == plain.digest()
    # A line separator inside a text does not end the line.
    assert read(tmp_path, as_jsonl(ROW | {"label": "a\u2028b"})).labels == ("a\u2028b",)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": None}, "own.jsonl:2: the field 'base' is missing"),
        ({"base": ""}, "own.jsonl:2, field 'base': the prompt is empty"),
        ({"anwser": " x"}, "own.jsonl:2: unknown field 'anwser'.*Did you mean 'answer'"),
        ({"colour": "x"}, "own.jsonl:2: unknown field 'colour'"),
        ({"base": 3}, "own.jsonl:2, field 'base': 3 is not a text"),
        ({"base_ids": "1 2"}, "own.jsonl:2, field 'base_ids'"),
        ({"base_ids": [1.0]}, "own.jsonl:2, field 'base_ids'"),
        ({"base_ids": [5]}, "own.jsonl:2, field 'base': The ids read"),
        ({"positions": {"S2": "Tom"}}, "own.jsonl:2, position 'S2' in the base: 'Tom' stands 0"),
        ({"positions.S2": "Tom"}, "own.jsonl:2, position 'S2' in the base: 'Tom' stands 0"),
        ({"positions.S2": 1.5}, "own.jsonl:2, position 'S2': 1.5"),
        ({"answer": {"a": 1}}, "own.jsonl:2, field 'answer'"),
        ({"label": "a"}, "Rows 0 and 1 both have the label 'a'"),
    ],
)
def test_a_bad_field_names_file_and_line(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    row = {name: value for name, value in (ROW | changed).items() if value is not None}
    with pytest.raises(PromptError, match=message):
        read(tmp_path, as_jsonl(ROW | {"label": "a"}, row))


def test_answers_and_alignment_name_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(AnswerError, match=r"own\.jsonl:3: the answer ' Mary Tom' is 2 tokens"):
        read(tmp_path, as_jsonl(ROW, ROW, ROW | {"answer": " Mary Tom"}))
    short = as_jsonl(ROW, ROW | {"source": "Mary gave a drink to"})
    with pytest.raises(AlignmentError, match=r"own\.jsonl:2: the base .* 14 tokens .* 5"):
        read(tmp_path, short)
    assert not read(tmp_path, short, align=False).is_aligned
    assert read(tmp_path, short, align=False).record.options["align"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no pairs"),
        ("\n \n", "holds no pairs"),
        ('{"base": ', r"own\.jsonl:1: not JSON at column 10"),
        ("[1]\n", r"own\.jsonl:1: '\[1\]' is not an object"),
        ('{}\n"a"\n', r"own\.jsonl:2: '\"a\"' is not an object"),
        ('{"base": NaN}', r"own\.jsonl:1: NaN"),
        ('{"base": [-Infinity]}', r"own\.jsonl:1: -Infinity"),
        ('{"base": ' + "1" * 5000 + "}", r"own\.jsonl:1: a number of too many digits"),
        ('{"base": "a", "base": "b"}', r"own\.jsonl:1: the field 'base' is given twice"),
        ('{"base": ' + "[" * 100_000, r"own\.jsonl:1: (nested too deeply|not JSON)"),
        (b'{"base": "\xff"}', r"own\.jsonl:1: not UTF-8"),
        (b'{}\n\n{"base": "\xe9t\xe9"}', r"own\.jsonl:3: not UTF-8"),
        ('{"base": "\\ud800", "source": "a"}', "half a character at 0"),
        ('{"causalnet_pairs": 2, "record": {}}', r"own\.jsonl:1: a header that is not of format 1"),
        ('{"causalnet_pairs": 1}', r"own\.jsonl:1: a header that is not of format 1"),
        ('{"causalnet_pairs": 1, "record": {"name": 3, "n": 1}}', "field 'name'"),
        (
            '{"causalnet_pairs": 1, "record": {"name": "a", "n": 1, "options": 7}}',
            "field 'options'",
        ),
        (
            '{"causalnet_pairs": 1, "record": {"name": "a", "n": 1}, "reduction": "max"}\n'
            + as_jsonl(ROW),
            "Unknown reduction 'max'",
        ),
        (
            '{"causalnet_pairs": 1, "record": {"name": "a", "n": 1}, "drop_reasons": {"a": -1}}\n'
            + as_jsonl(ROW),
            "a header that is not of format 1",
        ),
    ],
)
def test_a_file_that_is_not_json_lines_is_refused(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(PromptError, match=message):
        read(tmp_path, text)


GOOD = "base,source,answer,foil\n" + ",".join(f'"{value}"' for value in ROW.values()) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no pairs"),
        ("base,source\n", "holds no pairs"),
        ("base,base\na,b\n", "two columns are named 'base'"),
        ("base,sorce\na,b\n", r"own\.csv:2: unknown field 'sorce'.*Did you mean 'source'"),
        (GOOD + "a,b\n", r"own\.csv:3: the field 'answer' is missing"),
        (GOOD + "a,b,c,d,e\n", r"own\.csv:3: 5 cells for 4 columns"),
        (GOOD + ',"a",b,c\n', r"own\.csv:3: the field 'base' is missing"),
        (GOOD + '"a"x,b,c,d\n', r"own\.csv:3: not CSV"),
        (GOOD + '"a\nb\nc,d\n', r"own\.csv:3: not CSV"),
        (GOOD + "x" * 200_000 + "\n", r"own\.csv:3: not CSV: field larger"),
        ('base,label\n"a\nb",c\nd,e\n', r"own\.csv:2: the field 'source' is missing"),
        (GOOD + "Mary and,Mary and,[NaN],x\n", r"own\.csv:3, field 'answer': NaN"),
        ("base_ids\n1 2\n", r"own\.csv:2, field 'base_ids': not JSON"),
        ("positions.x\n{1\n", r"own\.csv:2, field 'positions\.x': not JSON"),
        ("positions\n[NaN]\n", r"own\.csv:2, field 'positions': NaN"),
    ],
)
def test_a_file_that_is_not_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        read(tmp_path, text, "own.csv")


def test_line_numbers_follow_cells_of_several_lines(tmp_path: Path) -> None:
    long = GOOD.split("\n")[1].replace('"When', '"When\n\n', 1)
    with pytest.raises(PromptError, match=r"own\.csv:6: the field 'source' is missing"):
        read(tmp_path, GOOD + long + "\nMary,,,\n", "own.csv")


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="No such file"):
        read_pairs(tmp_path / "none.jsonl", TOKENIZER)
    with pytest.raises(PromptError, match=r"'own\.txt' as prompt pairs\. A \.jsonl or \.csv file"):
        read(tmp_path, "", "own.txt")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(PromptError, match="cannot be read"):
        read_pairs(tmp_path / "folder.csv", TOKENIZER)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(PromptError, match=f"has {MOST_BYTES + 1} bytes"):
        read_pairs(path, TOKENIZER)
    with pytest.raises(PromptError, match=f"more than {MOST_ROWS} rows"):
        read(tmp_path, "{}\n" * (MOST_ROWS + 2))


def test_the_file_keeps_its_own_policies(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    ioi(TOKENIZER, n=2, bos=True).to_jsonl(path)
    assert read_pairs(path, TOKENIZER, bos=True).record.bos
    with pytest.raises(PromptError, match=r"bos is False, but pairs\.jsonl was written with True"):
        read_pairs(path, TOKENIZER, bos=False)
    own = read(tmp_path, as_jsonl(ROW), bos=True, reduction="logsumexp")
    assert own.record.bos
    assert own.base.tokens[0][0] == "[BOS]"
    assert own.reduction == "logsumexp"
