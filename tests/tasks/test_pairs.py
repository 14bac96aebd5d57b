import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import AlignmentError, AnswerError, PromptError
from causalnet.tasks import PromptPairs, Prompts, TaskRecord, ioi
from tests.tasks.tokenizers_of_words import piece_tokenizer, task_tokenizer, task_words

BASE = "When Mary and John went to the store, John gave a drink to"
SOURCE = "When Mary and John went to the store, Anna gave a drink to"
ROW: dict[str, object] = {"base": BASE, "source": SOURCE, "answer": " Mary", "foil": " John"}


def pair(**changed: object) -> dict[str, object]:
    """Return a good row with some fields changed; None takes one out."""
    row = ROW | changed
    return {name: value for name, value in row.items() if value is not None}


def build(*rows: dict[str, object], **options: Any) -> PromptPairs:
    return PromptPairs.build(task_tokenizer(), rows, **options)


def test_texts_become_tokens_with_named_positions() -> None:
    pairs = build(
        pair(
            positions={
                "IO": "Mary",
                "S2": {"base": [38, 42], "source": "Anna"},
                "place": [31, 36],
                "comma": 8,
                "last": -1,
            }
        )
    )
    found = {name: pairs.base.tokens[0][at[0]] for name, at in pairs.base.positions.items()}
    assert found == {
        "IO": "Mary",
        "S2": "John",
        "place": "store",
        "comma": ",",
        "last": "to",
        "end": "to",
    }
    assert pairs.source.tokens[0][pairs.source.positions["S2"][0]] == "Anna"
    assert pairs.is_aligned
    assert pairs.answer_texts == ((" Mary",),)
    assert pairs.base.texts == (BASE,)


def test_positions_may_be_given_one_by_one() -> None:
    together = build(pair(positions={"IO": "Mary"}))
    assert build(pair(**{"positions.IO": "Mary"})) == together
    with pytest.raises(PromptError, match="Row 0: position 'IO' is given twice"):
        build(pair(**{"positions": {"IO": "Mary"}, "positions.IO": 1}))


def test_ids_are_taken_as_they_are() -> None:
    tokenizer = task_tokenizer()
    by_text = build(pair())
    row = {
        "base": list(by_text.base.ids[0]),
        "source": list(by_text.source.ids[0]),
        "answer": by_text.answers[0][0],
        "foil": list(by_text.foils[0]),
        "positions": {"IO": "Mary", "S2": 9},
    }
    pairs = PromptPairs.build(tokenizer, [row])
    assert pairs.base.ids == by_text.base.ids
    assert (pairs.answers, pairs.foils) == (by_text.answers, by_text.foils)
    assert pairs.answer_texts == (("Mary",),)
    assert pairs.base.tokens[0][pairs.base.positions["IO"][0]] == "Mary"


def test_sets_of_answers_keep_their_reduction() -> None:
    pairs = build(pair(answers=[" Mary", " Anna"], answer=None), reduction="logsumexp")
    assert len(pairs.answers[0]) == 2
    assert pairs.reduction == "logsumexp"
    with pytest.raises(PromptError, match="Unknown reduction 'max'"):
        build(pair(), reduction="max")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": None}, "Row 0: the field 'base' is missing"),
        ({"source": None}, "Row 0: the field 'source' is missing"),
        ({"answer": None}, "Row 0: the field 'answer' is missing"),
        ({"foil": None}, "Row 0: the field 'foil' is missing"),
        ({"base": ""}, "Row 0, field 'base': the prompt is empty"),
        ({"source": " \n"}, "Row 0, field 'source': the prompt is empty"),
        ({"base": []}, "Row 0, field 'base': the prompt is empty"),
        ({"base": 7}, "Row 0, field 'base': 7 is not a text"),
        ({"base": [1, "a"]}, "Row 0, field 'base_ids'"),
        ({"base": [True]}, "Row 0, field 'base_ids'"),
        ({"base": "Mary \ud800"}, "half a character at 5"),
        ({"base": "Mary and Zoroaster"}, "field 'base': The tokenizer does not know 'Zoroaster'"),
        ({"answer": 1.5}, "Row 0, field 'answer': 1.5 is not a text"),
        ({"answers": [" Mary"]}, "both 'answer' and 'answers'"),
        ({"answer_ids": [1, 2]}, "1 texts in 'answer' and 2 in 'answer_ids'"),
        ({"sorce": "x"}, "unknown field 'sorce'.*Did you mean 'source'"),
        ({"positions.": 1}, "unknown field 'positions.'"),
        ({"positions": [1]}, r"field 'positions': \[1\]"),
        ({"positions": {"S2": 99}}, "position 'S2' in the base: there is no token 99"),
        ({"positions": {"S2": True}}, "position 'S2': True"),
        ({"positions": {"S2": [4, 4]}}, r"position 'S2': \[4, 4\]"),
        ({"positions": {"S2": [0, 999]}}, "ends behind the text"),
        ({"positions": {"S2": {"base": 1}}}, "position 'S2': fields base"),
        ({"positions": {"S2": "John"}}, "'John' stands 2 times"),
        ({"positions": {"S2": "Mark"}}, "'Mark' stands 0 times"),
        ({"positions": {"end": 2}}, "'end' is not the prompt's last token"),
        ({"label": ""}, "the label is empty"),
        ({"label": 3}, "field 'label': 3 is not a text"),
    ],
)
def test_a_bad_field_is_refused_with_its_row(changed: dict[str, object], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        build(pair(**changed))


def test_the_offending_row_is_named() -> None:
    with pytest.raises(PromptError, match="Row 2: the field 'foil' is missing"):
        build(pair(), pair(), pair(foil=None))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"answer": " Mary Anna"}, "Row 0: the answer ' Mary Anna' is 2 tokens: 'Mary' 'Anna'"),
        ({"foil": " Zoroaster"}, "the tokenizer does not know the foil ' Zoroaster'"),
        ({"answer": ""}, "the answer '' is 0 tokens"),
        ({"answer": []}, "no answer is given"),
        ({"answer": [" Mary", " Mary"]}, "the answer ' Mary' is there twice"),
        ({"answer": [" Mary", " John"]}, "'John' is an answer and a foil"),
        ({"answer": 10**6}, "the answer 1000000 is not a token"),
        ({"answer": -1}, "the answer -1 is not a token"),
        ({"answer_ids": [5]}, "the answer ' Mary' has id 5, which reads"),
    ],
)
def test_an_answer_that_is_not_one_token_is_refused(
    changed: dict[str, object], message: str
) -> None:
    with pytest.raises(AnswerError, match=message):
        build(pair(**changed))


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"answer": "Mary"}, "Write ' Mary', with its space"),
        ({"answer": " Maryanne"}, r"is 2 tokens: ' Mary' 'anne'.*Write its first token, ' Mary'"),
        ({"answer": " 4"}, r"Put ' ' at the prompt's end and write '4'"),
        ({"base": BASE + " ", "answer": "Mary"}, "Take the space at the prompt's end out"),
        ({"base": BASE + " ", "answer": " Mary"}, "Take the space at the prompt's end out"),
    ],
)
def test_the_message_says_what_to_write(
    smollm2_tokenizer: Any, changed: dict[str, object], advice: str
) -> None:
    with pytest.raises(AnswerError, match=advice):
        PromptPairs.build(smollm2_tokenizer, [pair(**changed)], align=False)


def test_prompts_of_unequal_length_are_refused() -> None:
    longer = "When Mary and John went to the big store, Anna gave a drink to"
    tokenizer = piece_tokenizer((*task_words(), "big"), ())
    rows = [pair(), pair(source=longer)]
    with pytest.raises(AlignmentError, match=r"Row 1: the base .* 14 tokens and the source .* 15"):
        PromptPairs.build(tokenizer, rows)
    pairs = PromptPairs.build(tokenizer, rows, align=False)
    assert not pairs.is_aligned
    assert pairs.source.positions["end"] == (13, 14)


def test_positions_that_do_not_align_are_refused() -> None:
    moved = "When Mary went to the store and John, Anna gave a drink to"
    with pytest.raises(AlignmentError, match=r"position 'S1' is token 3 .* and token 7"):
        build(pair(source=moved, positions={"S1": {"base": [14, 18], "source": [32, 36]}}))


def test_rows_must_name_the_same_positions() -> None:
    with pytest.raises(PromptError, match="Row 1 and row 0 do not name the same positions: IO"):
        build(pair(positions={"IO": "Mary"}), pair())


def test_labels_are_unique() -> None:
    pairs = build(pair(label="a"), pair())
    assert pairs.labels == ("a", "rows-1")
    with pytest.raises(PromptError, match="Rows 0 and 1 both have the label 'a'"):
        build(pair(label="a"), pair(label="a"))
    with pytest.raises(PromptError, match="each row once"):
        pairs.rows([0, 0])


def test_no_rows_are_refused() -> None:
    with pytest.raises(PromptError, match="There are no pairs"):
        build()


def test_rows_are_chosen_and_recorded() -> None:
    pairs = ioi(task_tokenizer(), n=6, seed=1)
    some = pairs.rows([4, -6, 2])
    assert some.labels == ("ioi-1-4", "ioi-1-0", "ioi-1-2")
    assert some.base.ids == tuple(pairs.base.ids[row] for row in (4, 0, 2))
    assert some.source.positions["S2"][1] == pairs.source.positions["S2"][0]
    assert some.rows([2]).record.rows == (2,)
    assert some.rows([1]) == pairs.rows([0])
    with pytest.raises(PromptError, match=r"There is no row 6\. Rows are 0\.\.5"):
        pairs.rows([6])
    with pytest.raises(PromptError, match=r"rows\(\[2\]\)"):
        pairs.rows(2)  # type: ignore[arg-type]  # the mistake under test


def test_digests_tell_what_is_asked() -> None:
    pairs = ioi(task_tokenizer(), n=5, seed=0)
    assert pairs.digest() == ioi(task_tokenizer(), n=5, seed=0).digest()
    others = [
        replace(pairs, answers=pairs.foils),
        replace(pairs, reduction="logsumexp"),
        replace(pairs, source=pairs.base),
        pairs.rows([0, 1, 2, 3]),
    ]
    assert len({pairs.digest(), *(other.digest() for other in others)}) == 5
    flipped = ioi(task_tokenizer(), n=5, seed=0, corruption="flip")
    assert flipped.prompt_digests() == pairs.prompt_digests()
    assert not set(ioi(task_tokenizer(), n=5, seed=9).prompt_digests()) & set(
        pairs.prompt_digests()
    )


def test_values_compare_and_hash_by_value() -> None:
    one, two = (ioi(task_tokenizer(), n=3, seed=0) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert hash(one.base) == hash(two.base)
    assert hash(one.record) == hash(two.record)
    assert one != ioi(task_tokenizer(), n=3, seed=1)


def test_one_line_says_what_it_is() -> None:
    pairs = build(pair(), pair())
    assert repr(pairs) == "PromptPairs(rows: 2 pairs (1 distinct bases) of 14 tokens)"
    assert repr(pairs.base) == "Prompts(2 rows, 14 tokens, positions end)"


def test_the_table_escapes_every_text() -> None:
    hostile = "<script>alert(1)</script> & \"'"
    tokenizer = piece_tokenizer((*task_words(), "script", "alert", "<", ">", "1", "&"), ())
    row = pair(label=hostile)
    row["base"] = row["source"] = "<script> & 1"
    page = PromptPairs.build(tokenizer, [row], name=hostile)._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    many = build(*(pair() for _ in range(11)))._repr_html_()
    assert "and 3 more" in many
    assert many.count("<tr>") == 9


def test_positions_by_name_or_index() -> None:
    prompts = build(pair(positions={"IO": "Mary"})).base
    assert prompts.at("IO") == (1,)
    assert prompts.at("END") == prompts.at("end") == prompts.at(-1) == (13,)
    assert prompts.at(2) == (2,)
    with pytest.raises(PromptError, match=r"Unknown position 'I0'\..*Nearest: IO"):
        prompts.at("I0")
    with pytest.raises(PromptError, match="Row 0 has no token 14"):
        prompts.at(14)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    side=st.sampled_from(("left", "right")),
    extra=st.integers(0, 3),
)
def test_padding_keeps_every_token_at_its_place(lengths: list[int], side: Any, extra: int) -> None:
    prompts = of_lengths(lengths)
    width = max(lengths) + extra
    padded = prompts.padded(side, pad_id=99, width=width)
    assert (
        padded.ids.shape == padded.mask.shape == padded.position_ids.shape == (len(lengths), width)
    )
    for row, ids in enumerate(prompts.ids):
        real = padded.mask[row] == 1
        assert tuple(padded.ids[row][real]) == ids
        assert tuple(padded.position_ids[row][real]) == tuple(range(len(ids)))
        assert (padded.ids[row][~real] == 99).all()
        assert (padded.position_ids[row][~real] == 0).all()
        assert padded.ids[row, padded.positions["end"][row]] == ids[-1]
        assert real[-1 if side == "left" else 0]


def of_lengths(lengths: list[int]) -> Prompts:
    ids = tuple(tuple(range(10, 10 + length)) for length in lengths)
    return Prompts(
        texts=tuple("x" * length for length in lengths),
        ids=ids,
        tokens=tuple(tuple("x" for _ in row) for row in ids),
        positions={"end": tuple(length - 1 for length in lengths)},
        templates=("",) * len(lengths),
    )


def test_padding_refuses_what_does_not_fit() -> None:
    prompts = of_lengths([2, 4])
    with pytest.raises(PromptError, match="4 tokens does not fit in 3 columns"):
        prompts.padded(width=3)
    with pytest.raises(PromptError, match="side 'top'"):
        prompts.padded("top")  # type: ignore[arg-type]  # the mistake under test
    assert prompts.padded().ids.dtype == np.int64


def test_prompts_check_their_columns() -> None:
    prompts = of_lengths([2, 4])
    with pytest.raises(PromptError, match="ids has 1 rows for 2 texts"):
        replace(prompts, ids=prompts.ids[:1])
    with pytest.raises(PromptError, match="'end' is missing"):
        replace(prompts, positions={})
    with pytest.raises(PromptError, match="not the last token"):
        replace(prompts, positions={"end": (0, 3)})
    with pytest.raises(PromptError, match="Row 0 has position 'S2' at token 2"):
        replace(prompts, positions={"end": (1, 3), "S2": (2, 2)})


def test_pairs_check_their_columns() -> None:
    pairs = build(pair(), pair())
    with pytest.raises(PromptError, match="different numbers of rows"):
        replace(pairs, labels=("a",))


def test_a_record_reads_what_it_wrote() -> None:
    record = ioi(task_tokenizer(), n=2, templates="acceptance").rows([1]).record
    assert TaskRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
    assert record.rows == (1,)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"n": "3"}, "n"),
        ({"n": True}, "n"),
        ({"seed": 1.5}, "seed"),
        ({"rows": [0, "1"]}, "rows"),
        ({"templates": "abc"}, "templates"),
        ({"bos": 1}, "bos"),
        ({"colour": "red"}, "colour"),
        ({"name": None}, "name"),
    ],
)
def test_a_record_of_another_shape_is_refused(changed: dict[str, object], field: str) -> None:
    plain = TaskRecord("ioi", n=3).to_json() | changed
    with pytest.raises(PromptError, match=f"wrong or missing field '{field}'"):
        TaskRecord.from_json(plain)
