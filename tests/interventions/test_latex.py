"""Terms in LaTeX and HTML: potential outcomes, escaped names, balanced braces."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings

from causalnet.errors import TermError
from causalnet.interventions import (
    Ablation,
    AblationKind,
    At,
    Base,
    Do,
    Node,
    Query,
    ablation_effect,
    joint,
    kl,
    nde,
    nie,
    parse_scalar,
    parse_value,
    parse_world,
    per_total_effect,
    pn,
    te,
    tie,
    to_latex,
    value_of,
)
from tests.interventions.all_terms import SCALARS, WORLDS
from tests.interventions.terms import GRAPH

NAMES = {"M": "M", "N": "N", "L1.mlp": "M"}
MLP = GRAPH.find("L1.mlp")


@pytest.mark.parametrize(
    ("query", "latex"),
    [
        (te(), "Y_{x'} - Y_{x}"),
        (nie(MLP), "Y_{x, M_{x'}} - Y_{x}"),
        (nde(MLP), "Y_{x', M_{x}} - Y_{x}"),
        (tie(MLP), "Y_{x'} - Y_{x', M_{x}}"),
        (
            ablation_effect(MLP, Ablation(AblationKind.ZERO), at="S_2"),
            r"Y_{x, \mathrm{do}(M[\text{S\_2}] = 0)} - Y_{x}",
        ),
    ],
)
def test_effects_are_written_as_potential_outcomes(query: Query, latex: str) -> None:
    [(_, scalar)] = query.contrasts
    assert to_latex(scalar, NAMES) == latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("<base; k>", r"x, \varepsilon_{\text{k}}"),
        ("<resample 0>", r"x_{\text{resample 0}}"),
        ("<base> + {M := M in <base> + {N := N in <source>}}", "x, M_{x, N_{x'}}"),
        (
            "<base> + {M := 0} + {M := self}",
            r"x, \mathrm{do}(M = 0)\,;\, \mathrm{do}(M = \mathrm{self})",
        ),
        ("<base> + {M := N in <source>}", r"x, \mathrm{do}(M = N_{x'})"),
        ("<base> + {M -> N:a_b := 0}", r"x, \mathrm{do}((M \to N:\mathrm{a\_b}) = 0)"),
        ("<base> + {M[*; 'das'#1 0,2] := 0}", r"x, \mathrm{do}(M[\text{'das'\#1 0,2}] = 0)"),
    ],
)
def test_worlds_are_inputs_and_what_is_done(text: str, latex: str) -> None:
    assert to_latex(parse_world(text), NAMES) == latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("add(self, 'v'#1; factor=-2.0)", r"(\mathrm{self} + -2\,\text{v})"),
        ("subtract(M in <source>, M in <base>)", "(M_{x'} - M_{x})"),
        (
            "own/v2(noise(k); rate=1e-05; by='a b')",
            (
                r"\mathrm{own/v2}(\varepsilon_{\text{k}}; \mathrm{by}=\text{a b}; "
                r"\mathrm{rate}=1 \cdot 10^{-5})"
            ),
        ),
    ],
)
def test_values_are_formulas(text: str, latex: str) -> None:
    assert to_latex(parse_value(text), NAMES) == latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("(0)", "0"),
        ("0.5 kl(<base>) - 2.0 kl(<source>)", r"0.5\,Y_{x} - 2\,Y_{x'}"),
        ("- (kl(<base>) + kl(<source>))", r"-\left(Y_{x} + Y_{x'}\right)"),
        ("ratio(kl(<base>), loss(<base>))", r"\frac{\mathrm{kl}_{x}}{\mathrm{loss}_{x}}"),
        (
            "and(positive(kl(<base>)), not(positive(kl(<source>))))",
            r"\left(\mathbf{1}\left[Y_{x} > 0\right]\right) \wedge "
            r"\left(\neg\left(\mathbf{1}\left[Y_{x'} > 0\right]\right)\right)",
        ),
        (
            "grad(kl(<base>); M; M in <source>)",
            r"\partial_{M} Y_{x} \cdot \left(M_{x'}\right)",
        ),
    ],
)
def test_scalars_are_formulas(text: str, latex: str) -> None:
    assert to_latex(parse_scalar(text), NAMES) == latex


def test_queries_are_aligned_rows() -> None:
    assert to_latex(nie([MLP, joint("a_b", MLP)]), NAMES) == (
        "\\begin{aligned}\n"
        "\\mathrm{NIE}(M) &= Y_{x, M_{x'}} - Y_{x} \\\\\n"
        "\\mathrm{NIE}(\\mathrm{a\\_b}) &= Y_{x, M_{x'}} - Y_{x}\n"
        "\\end{aligned}"
    )


@settings(max_examples=100)
@given(SCALARS | WORLDS)
def test_braces_are_balanced_whatever_the_names(term: Any) -> None:
    """Escaped characters aside, every brace that opens is closed, and no line ends inside."""
    latex = re.sub(r"\\[\\{}_#$%&]", "", to_latex(term))
    depth = 0
    for character in latex:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
        assert character.isprintable()
    assert depth == 0
    assert not re.search(r"[#$%&]", latex)


def test_deep_terms_are_written() -> None:
    world: Base | Do = Base("base")
    for _ in range(10_000):
        world = Do(Base("base"), ((Node("M"), At("M", world)),))
    assert to_latex(world, NAMES).count("M_{x") == 10_000


class Tags(HTMLParser):
    """Notes which tags open and close, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read_html(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert not tags.open
    return tags


@given(WORLDS | SCALARS)
def test_notebooks_show_the_text_escaped_and_short(term: Any) -> None:
    html = term._repr_html_()
    shown = read_html(html)
    assert shown.seen <= {"code", "b"}
    assert shown.text == (str(term) if len(str(term)) <= 240 else shown.text)
    assert len(shown.text) < 300


def test_notebooks_show_queries_as_tables() -> None:
    odd = joint("<script>alert(1)</script>", MLP)
    tags = read_html(nie([*GRAPH.heads(), *GRAPH.mlps(), odd], at="end", outcome=kl)._repr_html_())
    assert tags.seen == {"table", "caption", "b", "br", "tr", "th", "td", "code"}
    assert "patched - unpatched" in tags.text
    assert "... and 1 more" in tags.text
    html = nie(odd, outcome=value_of("<i>"))._repr_html_()
    assert "<script>" not in html and "<i>" not in html


def test_conditions_and_denominators_are_written() -> None:
    """The probability of necessity is one among those that behave; a fraction is one of means."""
    necessity = to_latex(pn(MLP), NAMES)
    happens = r"\mathbf{1}\left[Y_{x} > 0\right]"
    lost = r"\neg\left(\mathbf{1}\left[Y_{x, M_{x'}} > 0\right]\right)"
    assert rf"&= \mathrm{{E}}\left[{lost} \;\middle|\; {happens}\right]" in necessity
    fraction = to_latex(per_total_effect(nie(MLP)), NAMES)
    above, below = r"Y_{x, M_{x'}} - Y_{x}", r"Y_{x'} - Y_{x}"
    means = (rf"\mathrm{{E}}\left[{each}\right]" for each in (above, below))
    assert r"&= \frac{{{}}}{{{}}}".format(*means) in fraction


def test_texts_of_shared_parts_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that reads one world twice, 60 times over, would have 2^60 parts."""
    monkeypatch.setattr("causalnet.interventions.terms._LONGEST", 10_000)  # to be quick
    world = parse_world("<source>")
    for _ in range(60):
        sites = (Node("M"), Node("N"))
        world = Do(Base("base"), tuple((site, At(site.mediator, world)) for site in sites))
    with pytest.raises(TermError, match="more than 10000 characters"):
        to_latex(world)
