import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import PromptError
from causalnet.tasks import (
    TASKS,
    PromptPairs,
    capitals,
    colored_objects,
    greater_than,
    induction,
    ioi,
    make,
    remake,
    successor,
    surnames,
)
from causalnet.tasks.indirect_object import ACCEPTANCE_TEMPLATE, NAMES
from causalnet.tasks.sequences import KINDS
from causalnet.tasks.templates import Template
from tests.tasks.tokenizers_of_words import (
    piece_tokenizer,
    spaced_tokenizer,
    task_tokenizer,
    task_words,
)

Generate = Callable[..., PromptPairs]
WORDED: list[tuple[Generate, dict[str, str]]] = [
    *((ioi, {"corruption": corruption}) for corruption in ("abc", "names", "flip")),
    (ioi, {"templates": "acceptance", "order": "BABA"}),
    *((successor, {"kind": kind}) for kind in ("days", "months", "numbers", "letters", "digits")),
    *((induction, {"kind": kind}) for kind in ("repeat", "list")),
    *((surnames, {"corruption": corruption}) for corruption in ("abc", "names", "flip")),
    *((colored_objects, {"corruption": corruption}) for corruption in ("object", "swap")),
    *((capitals, {"kind": kind}) for kind in ("capital", "country_of_capital", "language")),
]
ALL: list[tuple[Generate, dict[str, str]]] = [*WORDED, (greater_than, {})]
NAMED = [f"{generate.__name__} {' '.join(options.values())}" for generate, options in ALL]
SEEDS = st.integers(0, 10**6)


def check_alignment(pairs: PromptPairs) -> None:
    """Every generator's promise, looked at token by token."""
    assert pairs.is_aligned
    for row, (base, source) in enumerate(zip(pairs.base.ids, pairs.source.ids, strict=True)):
        assert len(base) == len(source)
        assert base != source
        for positions in (pairs.base.positions, pairs.source.positions):
            assert positions["end"][row] == len(base) - 1
            assert all(0 <= places[row] < len(base) for places in positions.values())
        assert not set(pairs.answers[row]) & set(pairs.foils[row])


def at(pairs: PromptPairs, name: str, row: int, side: str = "base") -> str:
    prompts = pairs.base if side == "base" else pairs.source
    return prompts.tokens[row][prompts.positions[name][row]].strip()


@pytest.mark.parametrize(("generate", "options"), ALL, ids=NAMED)
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_pairs_align_on_the_real_tokenizer(
    smollm2_tokenizer: Any, generate: Generate, options: dict[str, str], seed: int
) -> None:
    check_alignment(generate(smollm2_tokenizer, n=12, seed=seed, **options))


@pytest.mark.parametrize(("generate", "options"), WORDED, ids=NAMED[:-1])
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_pairs_align_on_whole_words(generate: Generate, options: dict[str, str], seed: int) -> None:
    pairs = generate(TOKENIZER, n=12, seed=seed, **options)
    check_alignment(pairs)
    assert pairs.dropped == 0


TOKENIZER = task_tokenizer()


@pytest.mark.parametrize(
    ("generate", "options"), [*WORDED[:4], *WORDED[-3:]], ids=[*NAMED[:4], *NAMED[-4:-1]]
)
def test_pairs_align_where_spaces_belong_to_words(
    generate: Generate, options: dict[str, str]
) -> None:
    pairs = generate(SPACED, n=20, **options)
    check_alignment(pairs)
    for row, (index,) in enumerate(pairs.answers):
        spelled = SPACED.convert_ids_to_tokens(index)
        assert spelled == pairs.answer_texts[row][0].replace(" ", "\u2581")


SPACED = spaced_tokenizer(task_words())


@pytest.mark.parametrize("policies", [{"bos": True}, {"chat_template": True}])
@pytest.mark.parametrize(("generate", "options"), ALL, ids=NAMED)
def test_policies_move_positions_and_keep_alignment(
    smollm2_tokenizer: Any, generate: Generate, options: dict[str, str], policies: dict[str, bool]
) -> None:
    plain = generate(smollm2_tokenizer, n=6, **options)
    other = generate(smollm2_tokenizer, n=6, **options, **policies)
    check_alignment(other)
    assert [*policies.values()] == [getattr(other.record, name) for name in policies]
    for name in set(plain.base.positions) - {"end"}:
        for row in range(6):
            # A position on the first word stays there, whatever is written in front of it.
            assert at(other, name, row) in (at(plain, name, row), plain.base.texts[row].split()[0])
    if policies == {"bos": True}:
        assert [ids[1:] for ids in other.base.ids] == [*plain.base.ids]


@pytest.mark.parametrize(("generate", "options"), ALL, ids=NAMED)
def test_same_seed_same_pairs_and_other_seed_other_pairs(
    smollm2_tokenizer: Any, generate: Generate, options: dict[str, str]
) -> None:
    one = generate(smollm2_tokenizer, n=8, seed=5, **options)
    assert generate(smollm2_tokenizer, n=8, seed=5, **options) == one
    other = generate(smollm2_tokenizer, n=8, seed=6, **options)
    assert other.base.ids != one.base.ids
    assert not set(other.labels) & set(one.labels)
    assert remake(one.record, smollm2_tokenizer) == one
    assert remake(one.rows([6, 1]).record, smollm2_tokenizer) == one.rows([6, 1])


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_corruptions_change_what_they_say_and_nothing_else(seed: int) -> None:
    made = {name: ioi(TOKENIZER, n=8, seed=seed, corruption=name) for name in TASK_CORRUPTIONS}
    for name, pairs in made.items():
        assert pairs.base == made["abc"].base, "the base depends on the seed alone"
        for row in range(8):
            subject, indirect = at(pairs, "S2", row), at(pairs, "IO", row)
            assert at(pairs, "S1", row) == subject != indirect
            assert pairs.answer_texts[row] == (f" {indirect}",)
            assert pairs.foil_texts[row] == (f" {subject}",)
            changed = {
                place
                for place, (x, y) in enumerate(
                    zip(pairs.base.ids[row], pairs.source.ids[row], strict=True)
                )
                if x != y
            }
            touched = ("IO", "S1", "S2") if name == "names" else ("S2",)
            assert changed == {pairs.base.positions[one][row] for one in touched}
            others = [at(pairs, one, row, "source") for one in ("IO", "S1", "S2")]
            assert len({subject, indirect, *others}) == {"abc": 3, "names": 5, "flip": 2}[name]


TASK_CORRUPTIONS = ("abc", "names", "flip")


def test_orders_alternate_or_stay() -> None:
    def indirect_first(order: str) -> list[bool]:
        pairs = ioi(TOKENIZER, n=6, order=order)
        places = pairs.base.positions
        return [places["IO"][row] < places["S1"][row] for row in range(6)]

    assert indirect_first("alternate") == [True, False] * 3
    assert indirect_first("ABBA") == [True] * 6
    assert indirect_first("BABA") == [False] * 6


def test_the_acceptance_template_alone(smollm2_tokenizer: Any) -> None:
    pairs = ioi(smollm2_tokenizer, n=3, seed=3, templates="acceptance", corruption="names")
    assert set(pairs.base.templates) == {ACCEPTANCE_TEMPLATE}
    assert set(pairs.base.lengths) == {14}
    # The first prompt of the set behind the head roles known for this model.
    assert pairs.base.texts[0] == "When Sarah and Jack went to the house, Jack gave a book to"


def test_templates_of_ones_own() -> None:
    own = ("{A} and {B} went to the {P}. {S} gave a {O} to", "{A}, {B}, {S},")
    pairs = ioi(TOKENIZER, n=12, templates=own, names=NAMES[:5], places=["store"])
    assert set(pairs.base.templates) == set(own)
    # A place that some template lacks is no position of the set.
    assert set(pairs.base.positions) == {"IO", "S1", "S2", "end"}
    assert pairs.record.templates == own
    assert remake(pairs.record, TOKENIZER) == pairs
    assert "P" in ioi(TOKENIZER, n=2, templates=own[:1]).base.positions


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_split_names_are_dropped_and_counted(seed: int) -> None:
    """Oracle: the same draws on a tokenizer that splits nothing, sifted by hand."""
    split = set(NAMES[5:25])
    tokenizer = piece_tokenizer(task_words(), split)
    options: dict[str, Any] = {"templates": [ACCEPTANCE_TEMPLATE], "order": "ABBA"}
    pairs = ioi(tokenizer, n=15, seed=seed, **options)
    drawn = ioi(TOKENIZER, n=15 + pairs.dropped, seed=seed, **options)
    kept, unaligned, many = [], 0, 0
    for row in range(len(drawn)):
        indirect, subject = at(drawn, "IO", row), at(drawn, "S2", row)
        third = at(drawn, "S2", row, "source")
        if (subject in split) != (third in split):
            unaligned += 1
        elif {indirect, subject} & split:
            many += 1
        else:
            kept.append((drawn.base.texts[row], drawn.source.texts[row]))
    assert [*zip(pairs.base.texts, pairs.source.texts, strict=True)] == kept
    assert pairs.drop_reasons == {
        reason: times
        for reason, times in (
            ("base and source do not align", unaligned),
            ("an answer or foil is not one token", many),
        )
        if times
    }
    assert pairs.dropped == unaligned + many > 0
    assert f"{pairs.dropped} dropped" in repr(pairs)


def test_a_pair_is_kept_when_both_sides_split_alike() -> None:
    """Positions lie on the last token of a name, also where names have two."""
    split = ["France", "Germany", "Italy", "Spain", "Russia"]
    pairs = capitals(piece_tokenizer(task_words(), split), n=60)
    check_alignment(pairs)
    last = [at(pairs, "subject", row) for row in range(60)]
    assert {word for word in last if word.startswith("##")} <= {f"##{name[2:]}" for name in split}
    assert any(word.startswith("##") for word in last)


def test_greater_than_asks_for_digits_above_the_tens(smollm2_tokenizer: Any) -> None:
    pairs = greater_than(smollm2_tokenizer, n=30)
    assert pairs.reduction == "logsumexp"
    for row in range(30):
        start = re.search(r"year (\d\d)(\d)(\d) to the year (\d\d)$", pairs.base.texts[row])
        assert start is not None
        assert start[1] == start[4]
        assert pairs.answer_texts[row] == tuple(map(str, range(int(start[2]) + 1, 10)))
        assert pairs.foil_texts[row] == tuple(map(str, range(int(start[2]))))
        assert at(pairs, "tens", row) == start[2]
        assert at(pairs, "tens", row, "source") + at(pairs, "units", row, "source") == "01"


def test_greater_than_needs_one_token_per_digit() -> None:
    tokenizer = piece_tokenizer(
        (*task_words(), "lasted", "from", "year", *(str(year) for year in range(1000, 2000))), ()
    )
    with pytest.raises(PromptError, match=r"Only 0 of 4 pairs of 'greater_than'.*500 draws"):
        greater_than(tokenizer, n=4)


def test_successor_asks_for_the_next_item(smollm2_tokenizer: Any) -> None:
    for kind, items in KINDS.items():
        pairs = successor(smollm2_tokenizer, n=20, kind=kind)
        for row in range(20):
            for side, (answer,) in (
                ("base", pairs.answer_texts[row]),
                ("source", pairs.foil_texts[row]),
            ):
                shown = [at(pairs, name, row, side) for name in "ABC"]
                places = [items.index(item) for item in (*shown, answer.strip())]
                goes_round = len(items) if kind in ("days", "months") else len(items) + 4
                assert places == [(places[0] + step) % goes_round for step in range(4)]


def test_the_space_before_a_digit_belongs_where_the_tokenizer_puts_it(
    smollm2_tokenizer: Any,
) -> None:
    split = successor(smollm2_tokenizer, n=4, kind="digits")
    assert all(text.endswith(" ") for text in split.base.texts)
    whole = successor(TOKENIZER, n=4, kind="digits")
    assert not any(text.endswith(" ") for text in whole.base.texts)
    assert all(text.startswith(" ") for (text,) in whole.answer_texts)


@pytest.mark.parametrize("kind", ["repeat", "list"])
def test_induction_copies_what_came_before(smollm2_tokenizer: Any, kind: str) -> None:
    pairs = induction(smollm2_tokenizer, n=20, kind=kind)
    assert len(set(pairs.base.positions["copied"])) > 3, "the place to copy from varies"
    for row in range(20):
        assert at(pairs, "first", row) == at(pairs, "second", row)
        assert pairs.answer_texts[row] == (f" {at(pairs, 'copied', row)}",)
        assert pairs.foil_texts[row] == (f" {at(pairs, 'copied', row, 'source')}",)
        gap = 1 if kind == "repeat" else 2  # a colon lies between key and value
        places = pairs.base.positions
        assert places["copied"][row] - places["first"][row] == gap
        assert places["end"][row] - places["second"][row] == gap - 1


def test_capitals_ask_for_facts(smollm2_tokenizer: Any) -> None:
    from causalnet.tasks.countries import KINDS as FACTS

    for kind, facts in FACTS.items():
        pairs = capitals(smollm2_tokenizer, n=20, kind=kind)
        for row in range(20):
            subjects = [
                next(name for name in sorted(facts, key=len, reverse=True) if name in texts[row])
                for texts in (pairs.base.texts, pairs.source.texts)
            ]
            assert pairs.answer_texts[row] == (f" {facts[subjects[0]]}",)
            assert pairs.foil_texts[row] == (f" {facts[subjects[1]]}",)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("iio", {}, "Unknown task: 'iio'.*Did you mean 'ioi'"),
        ("ioi", {"corupption": "abc"}, "Unknown option of 'ioi': 'corupption'.*'corruption'"),
        ("greater_than", {"kind": "x"}, "Unknown option of 'greater_than': 'kind'"),
        ("ioi", {"corruption": "abd"}, "Unknown corruption 'abd'.*abc, names, flip"),
        ("ioi", {"corruption": ["abc"]}, "Unknown corruption"),
        ("ioi", {"order": "AB"}, "Unknown order 'AB'"),
        ("ioi", {"templates": "some"}, "Unknown templates 'some'"),
        ("ioi", {"templates": []}, r"templates=\[\].*At least 1"),
        ("ioi", {"templates": ["{A} {B} to"]}, r"lacks \{S\}"),
        ("ioi", {"templates": ["{A} {B} {S} {X}"]}, r"has \{X\}"),
        ("ioi", {"templates": [3]}, "templates"),
        ("ioi", {"templates": 3}, "templates"),
        ("ioi", {"names": ["Mary", "John"]}, "names=.*At least 5"),
        ("ioi", {"names": "Mary"}, "names='Mary'"),
        ("ioi", {"names": [1, 2, 3, 4, 5]}, "names="),
        ("ioi", {"places": []}, "places="),
        ("ioi", {"objects": 3}, "objects=3"),
        ("ioi", {"bos": "yes"}, "bos='yes'"),
        ("successor", {"kind": "weeks"}, "Unknown kind 'weeks'.*days, months"),
        ("induction", {"kind": "x"}, "Unknown kind 'x'"),
        ("induction", {"words": 4}, "words=4"),
        ("induction", {"words": True}, "words=True"),
        ("capitals", {"kind": "rivers"}, "Unknown kind 'rivers'"),
        ("surnames", {"corruption": "x"}, "Unknown corruption 'x'.*abc, names, flip"),
        ("surnames", {"asked": "fourth"}, "Unknown asked 'fourth'.*any, first, second, third"),
        ("colored_objects", {"corruption": "abc"}, "Unknown corruption 'abc'.*object, swap"),
        ("ioi", {"n": 0}, "n=0"),
        ("ioi", {"n": 2.5}, "n=2.5"),
        ("ioi", {"n": True}, "n=True"),
        ("ioi", {"seed": -1}, "seed=-1"),
        ("ioi", {"seed": "a"}, "seed='a'"),
    ],
)
def test_a_bad_option_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        make(name, TOKENIZER, **options)


def test_make_is_the_generator_by_name(smollm2_tokenizer: Any) -> None:
    calls: dict[str, Generate] = {
        "ioi": ioi,
        "greater_than": greater_than,
        "successor": successor,
        "induction": induction,
        "capitals": capitals,
        "surnames": surnames,
        "colored_objects": colored_objects,
    }
    assert {name for name in TASKS if not name.startswith("known:")} == set(calls)
    for name, generate in calls.items():
        made = make(name, smollm2_tokenizer, n=4, seed=2)
        assert made == generate(smollm2_tokenizer, n=4, seed=2)
        assert made.record.name == name
        assert TASKS[name].description.endswith(".")


def test_pairs_given_by_hand_cannot_be_drawn_again() -> None:
    row = {"base": "Mary and", "source": "John and", "answer": " John", "foil": " Mary"}
    record = PromptPairs.build(TOKENIZER, [row]).record
    with pytest.raises(PromptError, match="'rows' were given, not drawn"):
        remake(record, TOKENIZER)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{A} and {A}", r"slot \{A\} stands twice"),
        ("{A and", "expected '}'"),
        ("{A!r}", "without formatting"),
        ("{A:>9}", "without formatting"),
        ("{A.__class__}", "without formatting"),
        ("{0}", "without formatting"),
        ("{}", "without formatting"),
    ],
)
def test_a_bad_template_is_refused(text: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        Template(text)


@settings(max_examples=30, deadline=None)
@given(
    literals=st.lists(st.text("ab {}.é", max_size=4), min_size=3, max_size=3),
    values=st.lists(st.text("xyz{} ", max_size=4), min_size=2, max_size=2),
)
def test_spans_are_where_the_slots_went(literals: list[str], values: list[str]) -> None:
    escaped = [literal.replace("{", "{{").replace("}", "}}") for literal in literals]
    template = Template(f"{escaped[0]}{{A}}{escaped[1]}{{B}}{escaped[2]}")
    text, spans = template.fill({"A": values[0], "B": values[1]})
    assert text == literals[0] + values[0] + literals[1] + values[1] + literals[2]
    assert [text[slice(*spans[slot])] for slot in "AB"] == values
