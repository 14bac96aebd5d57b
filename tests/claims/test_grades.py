"""Grades: monotone in evidence, and blocked by what is missing."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.claims.grades import Evidence, EvidenceItem, Grade, grade_of, missing_for

items = st.sets(st.sampled_from(list(EvidenceItem)))
EVERYTHING: Mapping[EvidenceItem, str] = dict.fromkeys(EvidenceItem, "here")


def with_items(found: set[EvidenceItem]) -> Evidence:
    return Evidence(dict.fromkeys(found, "here"))


@given(items, items)
def test_more_evidence_never_lowers_a_grade(
    some: set[EvidenceItem], more: set[EvidenceItem]
) -> None:
    assert grade_of(with_items(some)) <= grade_of(with_items(some | more))


@given(items)
def test_a_refuted_claim_rejects_whatever_else_there_is(found: set[EvidenceItem]) -> None:
    assert grade_of(Evidence(dict.fromkeys(found, "here"), refuted=("a",))) is Grade.REJECTED


@given(items)
def test_what_is_said_to_be_missing_is_what_lifts_the_grade(found: set[EvidenceItem]) -> None:
    evidence = with_items(found)
    step = missing_for(evidence)
    if step is None:
        assert grade_of(evidence) is Grade.VERIFIED
        return
    after, lacking = step
    assert lacking and grade_of(with_items(found | set(lacking))) >= after
    for item in lacking:
        assert grade_of(with_items((found | set(lacking)) - {item})) < after


@pytest.mark.parametrize(
    ("item", "best"),
    [
        (EvidenceItem.NECESSITY, Grade.PROPOSED),
        (EvidenceItem.INTERVAL, Grade.CAUSALLY_SUGGESTIVE),
        (EvidenceItem.SUFFICIENCY, Grade.CAUSALLY_SUGGESTIVE),
        (EvidenceItem.RANDOM_BASELINE, Grade.CAUSALLY_SUGGESTIVE),
        (EvidenceItem.SECOND_ESTIMATOR, Grade.SUPPORTED),
        (EvidenceItem.SELECTIVITY, Grade.SUPPORTED),
        (EvidenceItem.SECOND_DISTRIBUTION, Grade.SUPPORTED),
        (EvidenceItem.HELD_OUT, Grade.TRIANGULATED),
        (EvidenceItem.REGISTERED, Grade.TRIANGULATED),
        (EvidenceItem.REPRODUCED, Grade.TRIANGULATED),
    ],
)
def test_every_item_blocks_a_step(item: EvidenceItem, best: Grade) -> None:
    assert grade_of(Evidence(EVERYTHING)) is Grade.VERIFIED
    without = {one: said for one, said in EVERYTHING.items() if one is not item}
    assert grade_of(Evidence(without)) is best
