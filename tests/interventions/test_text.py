"""Terms print in the field's notation, and what is printed is read back as the same term."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.interventions import (
    Apply,
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Grad,
    Handle,
    Node,
    Op,
    Read,
    ReadOut,
    Scalar,
    Self,
    Site,
    Value,
    World,
    kl,
    logit_diff,
    parse_readout,
    parse_scalar,
    parse_site,
    parse_value,
    parse_world,
    terms,
)
from tests.interventions.all_terms import READ_OUTS, SCALARS, SITES, VALUES, WORLDS

BASE, SOURCE = Base("base"), Base("source")
PARSERS: tuple[Callable[[str], Any], ...] = (
    parse_world,
    parse_value,
    parse_site,
    parse_scalar,
    parse_readout,
)
many = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@many
@given(WORLDS)
@example(Base(""))
@example(Base("base", ""))
@example(Base("a;b", "<'>"))
def test_worlds_are_read_back(world: World) -> None:
    assert parse_world(str(world)) == world


@many
@given(VALUES)
@example(Const(Handle("it's", "")))
@example(Op("noise", (Self(),), (("self", -0.0), ("inf", float("-inf")))))
@example(At("self", BASE))
def test_values_are_read_back(value: Value) -> None:
    assert parse_value(str(value)) == value


@many
@given(SITES)
@example(Node("L9.H6", ("3", 3, "*")))
def test_sites_are_read_back(site: Site) -> None:
    assert parse_site(str(site)) == site


@many
@given(SCALARS)
@example(Contrast(((1.0, Read(kl, BASE)),)))
@example(Contrast(((1.0, Contrast(((1.0, Read(kl, BASE)),))),)))
@example(Contrast(((-1.0, Contrast(())), (2.0, Contrast(())))))
@example(Apply("ratio", (Contrast(()), Contrast(((-2.0, Read(kl, BASE)),)))))
def test_scalars_are_read_back(scalar: Scalar) -> None:
    assert parse_scalar(str(scalar)) == scalar


@many
@given(READ_OUTS)
@example(ReadOut("kl", "nats", "", node="unit"))
@example(ReadOut("kl", "nats", "", node="against", at="end", reference=Base("none")))
def test_read_outs_are_read_back(readout: ReadOut) -> None:
    assert parse_readout(str(readout)) == readout


@many
@given(st.one_of(WORLDS, VALUES, SITES, SCALARS, READ_OUTS), st.data())
def test_any_text_gives_a_term_or_an_error_with_its_place(term: Any, data: st.DataObject) -> None:
    """Texts near those of terms: cut, with something put in, with something left out."""
    text = str(term)
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(len(text), at + 5)))
    inserted = data.draw(st.text("<>{}[]()'\";:=,+-*0 1.e/v#\\\n|x", max_size=4))
    damaged = text[:at] + inserted + text[until:]
    for parse in PARSERS:
        try:
            read = parse(damaged)
        except TermError as error:
            assert re.match(r"Line \d+, column \d+: .*\n  .*\n +\^$", str(error), re.DOTALL)
        else:
            assert parse(str(read)) == read


@given(st.text(max_size=30))
def test_arbitrary_text_gives_a_term_or_an_error(text: str) -> None:
    for parse in PARSERS:
        try:
            parse(text)
        except TermError as error:
            assert str(error).startswith("Line ")


DEPTH = 10_000


def test_deep_terms_are_written_and_read() -> None:
    nested: World = BASE
    layered: World = BASE
    value: Value = Self()
    total: Scalar = Read(logit_diff, BASE)
    for _ in range(DEPTH):
        nested = Do(BASE, ((Node("embed"), At("embed", nested)),))
        layered = Do(layered, ((Node("embed"), Const()),))
        value = Op("add", (value, Const()))
        total = Apply("not", (Contrast(((1.0, total),)),))
    assert parse_world(str(nested)) == nested
    assert parse_world(str(layered)) == layered
    assert parse_value(str(value)) == value
    assert parse_scalar(str(total)) == total
    deep = ReadOut("kl", "nats", "", reference=nested)
    assert parse_readout(str(deep)) == deep
    with pytest.raises(TermError, match=r"^Line 1, column \d+: the text ends\."):
        parse_value("add(" * DEPTH)


def test_texts_that_sharing_makes_endless_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "_LONGEST", 10_000)
    world: World = BASE
    for _ in range(64):
        world = Do(world, ((Node("X"), At("X", world)),))
    with pytest.raises(TermError, match="A text of more than 10000 characters"):
        str(world)
    assert len(repr(world)) < 400
    assert repr(world) != repr(Do(world, ((Node("Y"), Self()),)))


@pytest.mark.parametrize(
    ("parse", "text", "told"),
    [
        (
            parse_world,
            "<base> + {L9.H6 = 0}",
            "Line 1, column 17: found '='. Possible here: '->', '[' or ':='.\n"
            "  <base> + {L9.H6 = 0}\n"
            "                  ^",
        ),
        (
            parse_world,
            "<base>\n  + {L9.H6[end := 0}",
            "Line 2, column 16: found ':='. Possible here: ',', ';' or ']'.\n"
            "    + {L9.H6[end := 0}\n"
            "                 ^",
        ),
        (
            parse_world,
            "base",
            "Line 1, column 1: found 'base'. Possible here: an input such as <base>.\n  base\n  ^",
        ),
        (
            parse_world,
            "<base",
            "Line 1, column 1: found an input that is not closed, or has odd characters and no "
            "quotes. Names with odd characters are quoted.\n  <base\n  ^",
        ),
        (
            parse_world,
            "<base> + {X := 0, X[end] := self}",
            "Line 1, column 8: X and X[end] overlap in one layer of interventions. Sites of one "
            "layer set different values. Put one of them into a second Do on top.\n"
            "  <base> + {X := 0, X[end] := self}\n"
            "         ^",
        ),
        (
            parse_scalar,
            "logit_diference(<base>)",
            "Line 1, column 1: found 'logit_diference'. Nearest: logit_difference. There are "
            "ratio, positive, not, and, grad, logit_difference, probability, kl, logit_distance, "
            "loss, accuracy, top1_agreement, value; a read-out of your own is quoted.\n"
            "  logit_diference(<base>)\n"
            "  ^",
        ),
        (
            parse_scalar,
            "ratio(kl(<base>))",
            "Line 1, column 6: ratio was given 1 arguments. It takes 2.\n"
            "  ratio(kl(<base>))\n"
            "       ^",
        ),
        (
            parse_scalar,
            "kl(<base>) kl(<base>)",
            "Line 1, column 12: found 'kl'. Possible here: '+', '-' or the end.\n"
            "  kl(<base>) kl(<base>)\n"
            "             ^",
        ),
        (
            parse_value,
            "'v'#1 + 2",
            "Line 1, column 7: found '+'. Possible here: the end.\n  'v'#1 + 2\n        ^",
        ),
        (
            parse_value,
            r"'v\q'#1",
            "Line 1, column 1: The escape '\\\\q'. There are \\\\ \\' \\\" \\n \\t \\r \\xNN "
            "\\uNNNN \\UNNNNNNNN.\n  'v\\q'#1\n  ^",
        ),
        (
            parse_site,
            "L9[feature 3]",
            "Line 1, column 12: found '3'. Possible here: ',', ';' or ']'.\n"
            "  L9[feature 3]\n"
            "             ^",
        ),
        (
            parse_site,
            "L9[*; feature 3,3]",
            "Line 1, column 7: The indices of axis 'feature' (3, 3) were given. A part has at "
            "least one index, none twice, counted from 0.\n"
            "  L9[*; feature 3,3]\n"
            "        ^",
        ),
    ],
)
def test_errors_say_where_and_what_was_possible(
    parse: Callable[[str], object], text: str, told: str
) -> None:
    with pytest.raises(TermError) as refused:
        parse(text)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("<base>+{X:=0}", "<base> + {X := 0}"),
        ("< base ;  k1 >", "<base; k1>"),
        ('<base> + {"X\'"[ "end" ] := self} # so far', '<base> + {"X\'"[end] := self}'),
    ],
)
def test_spaces_quotes_and_comments_are_free(text: str, same: str) -> None:
    assert str(parse_world(text)) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("(kl(<base>))", "kl(<base>)"),
        ("2 * kl(<base>)", "2.0 kl(<base>)"),
        ("kl(<base>) - (kl(<base>) - loss(<base>))", "kl(<base>) - (kl(<base>) - loss(<base>))"),
        ("+ kl(<base>)", "+ kl(<base>)"),
        ("0", "(0)"),
    ],
)
def test_sums_are_free_in_form(text: str, same: str) -> None:
    assert str(parse_scalar(text)) == same


def test_every_class_has_its_example() -> None:
    text = (
        "2.0 grad(logit_difference(<base; k>); L9.H6 -> L20.H0.q:resid[end; 'das'#1f 0,1 | 'd'#2]; "
        "subtract(L9.H6 in <source>, noise(k)))"
    )
    scalar = parse_scalar(text)
    assert isinstance(scalar, Contrast)
    [(weight, gradient)] = scalar.terms
    assert isinstance(gradient, Grad)
    assert isinstance(gradient.site, Edge)
    assert (weight, gradient.site.slot, str(scalar)) == (2.0, "resid", text)
