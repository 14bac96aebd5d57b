"""Circuits of nodes at positions: against hooks, against nodes, and what is refused."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from causalnet.claims import ClaimFile, circuit_of, explain_claims, verify
from causalnet.claims.circuits import check_against_graph, universe
from causalnet.claims.measuring import scorer_of
from causalnet.claims.prompts import pairs_of
from causalnet.effects import mean, mean_per_position, noise, resample
from causalnet.errors import AlignmentError, ClaimFileError, TermError
from causalnet.faithfulness import CircuitScorer, Regime, random_circuits_like
from causalnet.graphs import Kind
from causalnet.interventions import Ablation, AblationKind, Cell, Learning, logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs
from tests.claims.known_case import known_file, known_net
from tests.claims.small_case import claim_file, small_net, write_pairs

AT = {"third": 2, "changed": 3, "end": 5}
NODES = tuple(f"L{layer}.{node}" for layer in (0, 1) for node in ("H0", "H1", "H2", "H3", "mlp"))
CELLS = tuple(f"{node}[{at}]" for node, at in product(NODES, ("changed", "end")))
ABLATED = {"kind": "counterfactual", "ablate": "heads_and_mlps", "at": ["changed", "end"]}
FAITHFUL = {"kind": "faithful", "at_least": 0.9}
Settings = Mapping[tuple[str, str], Tensor]  # node and position -> [n, d]


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cells")
    write_pairs(path / "pairs.jsonl", net, 4)
    rows = [json.loads(line) for line in (path / "pairs.jsonl").read_text().splitlines()]
    named = {name: place for name, place in AT.items() if name != "end"}
    lines = (json.dumps({**row, "positions": named}) for row in rows)
    (path / "pairs.jsonl").write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def pairs(net: LiftedNetwork, folder: Path) -> PromptPairs:
    file = claim_file(folder)
    return pairs_of(file, file.task, net.model.tokenizer)


class ByHooks:
    """Heads and MLPs of a Llama set at tokens, by hooks of its modules and nothing else."""

    def __init__(self, net: LiftedNetwork, folder: Path) -> None:
        self.module: Any = net.model.module
        rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
        self.base, self.source, self.answers, self.foils = (
            torch.tensor([row[key] for row in rows])
            for key in ("base_ids", "source_ids", "answer_ids", "foil_ids")
        )

    def run(self, ids: Tensor, to: Settings) -> tuple[NDArray[np.float64], dict[str, Tensor]]:
        """Return the logit difference, [n], and what nodes gave, [n, T, d] each."""
        seen: dict[str, Tensor] = {}
        with ExitStack() as hooks, torch.no_grad():
            for number, layer in enumerate(self.module.model.layers):
                before = partial(self._heads, f"L{number}.H", to, seen)
                after = partial(self._mlp, f"L{number}.mlp", to, seen)
                hooks.callback(layer.self_attn.o_proj.register_forward_pre_hook(before).remove)
                hooks.callback(layer.mlp.register_forward_hook(after).remove)
            last = self.module(input_ids=ids).logits[:, -1]
        difference = last.gather(1, self.answers) - last.gather(1, self.foils)
        return difference[:, 0].numpy(), seen

    @staticmethod
    def _heads(prefix: str, to: Settings, seen: dict[str, Tensor], _: Any, args: Any) -> Any:
        z = args[0].clone().unflatten(-1, (4, -1))
        for head in range(4):
            for at, place in AT.items():
                if (f"{prefix}{head}", at) in to:
                    z[:, place, head] = to[f"{prefix}{head}", at]
            seen[f"{prefix}{head}"] = z[:, :, head].clone()
        return (z.flatten(-2),)

    @staticmethod
    def _mlp(name: str, to: Settings, seen: dict[str, Tensor], _: Any, args: Any, out: Any) -> Any:
        out = out.clone()
        for at, place in AT.items():
            if (name, at) in to:
                out[:, place] = to[name, at]
        seen[name] = out
        return out

    def scores(
        self, kept: Iterable[str], knocked_out: Iterable[str], kind: str, direction: str
    ) -> dict[Regime, NDArray[np.float64]]:
        """Return every part of a circuit, with cells written `L0.H0[end]`."""
        donors = {side: self.run(ids, {})[1] for side, ids in self._ids.items()}
        run, other = ("base", "source") if direction == "noising" else ("source", "base")

        def part(cells: Iterable[str]) -> NDArray[np.float64]:
            split = [tuple(cell[:-1].split("[")) for cell in cells]
            values = {
                (node, at): donors[other][node][:, AT[at]] * (kind != "zero") for node, at in split
            }
            return self.run(self._ids[run], values)[0]

        inside, outside = list(kept), list(knocked_out)
        set_where = (
            {Regime.KEPT: outside, Regime.EMPTY: inside + outside, Regime.KNOCKED_OUT: inside}
            if direction == "noising"
            else {Regime.KEPT: inside, Regime.EMPTY: [], Regime.KNOCKED_OUT: outside}
        )
        found = {regime: part(cells) for regime, cells in set_where.items()}
        return {**found, Regime.MODEL: self.run(self.base, {})[0]}

    @property
    def _ids(self) -> dict[str, Tensor]:
        return {"base": self.base, "source": self.source}


def scorer_for(file: ClaimFile, net: LiftedNetwork) -> CircuitScorer:
    known = tuple(universe(file, net.graph).values())
    scorer = scorer_of(file, net, known, None, 0)
    assert isinstance(scorer, CircuitScorer)
    return scorer


def scores_of(
    file: ClaimFile, net: LiftedNetwork, pairs: PromptPairs
) -> dict[Regime, NDArray[np.float64]]:
    """Score a file's circuit, as its claims are."""
    scorer, names = scorer_for(file, net), circuit_of(file)
    circuit = tuple(one for one in scorer.universe if str(one) in names)
    assert len(circuit) == len(names)
    values = scorer.read(pairs, [(regime, circuit) for regime in Regime]).values
    return {regime: values[regime, circuit] for regime in Regime}


@settings(max_examples=40)
@given(
    st.sets(st.sampled_from(CELLS), min_size=1, max_size=len(CELLS) - 1),
    st.sampled_from(
        [("zero", "noising"), ("counterfactual", "noising"), ("counterfactual", "denoising")]
    ),
)
def test_every_part_is_that_of_hooks_on_the_modules(
    net: LiftedNetwork, folder: Path, pairs: PromptPairs, circuit: set[str], how: tuple[str, str]
) -> None:
    """Oracle: forwards of the module with the very values set by hooks, to 1e-9 logits."""
    kind, direction = how
    file = claim_file(
        folder, circuit=sorted(circuit), ablation=ABLATED | {"kind": kind}, direction=direction
    )
    others = [cell for cell in CELLS if cell not in circuit]
    found = scores_of(file, net, pairs)
    expected = ByHooks(net, folder).scores(circuit, others, kind, direction)
    for regime in Regime:
        np.testing.assert_allclose(found[regime], expected[regime], atol=1e-9, rtol=0)
    assert np.abs(found[Regime.MODEL] - found[Regime.EMPTY]).max() > 0.1  # something was set


@settings(max_examples=25)
@given(
    st.sets(st.sampled_from(NODES), min_size=1, max_size=len(NODES) - 1),
    st.sets(st.sampled_from(sorted(AT)), min_size=1),
    st.sampled_from(["noising", "denoising"]),
)
def test_nodes_at_all_positions_are_the_same_terms_as_nodes(
    net: LiftedNetwork, folder: Path, nodes: set[str], at: set[str], direction: str
) -> None:
    ablation, places = ABLATED | {"at": sorted(at)}, sorted(at)
    cells = [f"{node}[{place}]" for node in sorted(nodes) for place in places]
    named = claim_file(folder, circuit=sorted(nodes), ablation=ablation, direction=direction)
    split = claim_file(folder, circuit=cells, ablation=ablation, direction=direction)
    one, other = scorer_for(named, net), scorer_for(split, net)
    whole = [node for node in one.universe if str(node) in nodes]
    parts = [cell for cell in other.universe if str(cell) in circuit_of(split)]
    assert len(parts) == len(cells) and len(other.universe) == len(NODES) * len(at)
    for regime in Regime:
        assert one.reads(regime, whole) == other.reads(regime, parts)


@pytest.mark.parametrize("value", [mean, mean_per_position, resample, noise])
def test_values_of_reference_prompts_and_noise_are_those_of_nodes(
    net: LiftedNetwork, pairs: PromptPairs, value: Callable[..., Ablation]
) -> None:
    """Oracle: nodes at both positions, of which the cells are the halves; equal to the last bit."""
    prompts, nodes = pairs.source, [*net.graph.heads(), *net.graph.mlps()]
    ablation = value(net, 1.0) if value is noise else value(prompts)
    reference = None if value is noise else prompts
    at = ("third", "end")
    make = partial(CircuitScorer, net, logit_diff, ablation, at=at, reference=reference)
    whole, split = (
        make(tuple(nodes)),
        make(tuple(Cell(node, place) for node in nodes for place in at)),
    )
    halves = [
        cell for cell in split.universe if isinstance(cell, Cell) and cell.mediator in nodes[2:5]
    ]
    one, other = whole.score(pairs, nodes[2:5]), split.score(pairs, halves)
    for part in ("model", "kept", "empty", "knocked_out"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    fewer = split.score(pairs, halves[1:])
    assert np.abs(fewer.kept - other.kept).max() > 1e-6


def known(circuit: Iterable[str], **changes: Any) -> ClaimFile:
    ablation = {"kind": "zero", "at": ["S2", "end"]}
    claim = changes.pop("claim", FAITHFUL)
    return known_file(claim, **{"circuit": list(circuit), "ablation": ablation, **changes})


def test_the_known_circuit_works_where_it_is_written_to() -> None:
    """The duplicate is found at S2, and what follows happens at END; no other cell matters."""
    net = known_net()
    circuit = ["L0.H0[S2]", "L1.H0[end]", "L2.H0[end]"]
    file = known(circuit, n=8)
    pairs = pairs_of(file, file.task, net.model.tokenizer)
    found = scores_of(known(circuit), net, pairs)
    np.testing.assert_allclose(found[Regime.KEPT], found[Regime.MODEL], atol=1e-6)
    assert (found[Regime.MODEL] - found[Regime.EMPTY]).min() > 1
    elsewhere = scores_of(known(["L0.H0[end]", *circuit[1:]]), net, pairs)
    without = scores_of(known(circuit[1:]), net, pairs)
    np.testing.assert_allclose(elsewhere[Regime.KEPT], without[Regime.KEPT], atol=1e-6)
    assert (elsewhere[Regime.MODEL] - elsewhere[Regime.KEPT]).min() > 1


def test_a_report_and_an_explanation_say_that_members_are_at_positions() -> None:
    circuit = ["L0.H0[S2]", "L1.H0[end]", "L2.H0[end]"]
    claim = {"kind": "better_than_random", "fraction": 0.5, "max_circuits": 8, "min_circuits": 8}
    file = known(circuit, n=32, claim=claim)
    result = verify(file, net=known_net())["claim"]
    assert result.conventions["circuit"].startswith("3 of 18 mediators at positions; ")
    assert result.conventions["positions"] == "S2, end"
    assert "at every position" in result.evidence["drawn"]
    told = explain_claims(file, net=known_net())
    assert told.ablated.startswith("18 mediators at positions")
    (faithful,) = explain_claims(known(circuit), net=known_net()).claims
    assert any("L0.H0.z[end]" in line for line in faithful.term)


def test_random_circuits_have_as_many_in_every_layer_at_every_position(net: LiftedNetwork) -> None:
    nodes = [*net.graph.heads(), *net.graph.mlps()]
    cells = [Cell(node, at) for node in nodes for at in ("S2", "end")]
    circuit = [one for one in cells if str(one) in ("L0.H0[S2]", "L0.H1[end]", "L1.H2[end]")]

    def shape(members: Iterable[Any]) -> list[Any]:
        return sorted((one.mediator.layer, one.mediator.kind, one.at) for one in members)

    for given_universe in (cells, ()):
        random = random_circuits_like(net.graph, circuit, given_universe)
        drawn = [random.draw(number) for number in range(60)]
        assert all(shape(one) == shape(circuit) and set(one) != set(circuit) for one in drawn)
        assert len({frozenset(one) for one in drawn}) > 30  # of 63
        assert all(one.mediator.kind is Kind.HEAD for each in drawn for one in each)  # type: ignore[union-attr]  # cells


@pytest.mark.parametrize(
    ("circuit", "changes", "said"),
    [
        (["L0.H0[end]", "L1.H0"], {}, "'L1.H0' has no position, and the first entry"),
        (["L0.H0", "L1.H0[end]"], {}, r"'L1.H0\[end\]' has a position, and the first"),
        (["L0.H0[S1]"], {}, r"'L0.H0\[S1\]' is at 'S1', which is not ablated. .* has S2, end"),
        (["L0.H0[]"], {}, "is at '', which is not ablated"),
        (["L0.H0[S2][end]"], {}, "cannot be in a circuit"),
        (["L0.H0[end]", "L0H0[ end ]"], {}, "in the circuit twice"),
        (["L0.mlp[end]"], {}, "only heads are ablated"),
        (["embed[end]"], {}, "cannot be in a circuit"),
        (["L0.H0[end] -> L1.H0.k"], {}, "is an edge, but nodes are ablated"),
        (
            ["L0.H0[end] -> L1.H0.k"],
            {"ablation": {"kind": "zero", "ablate": "edges", "at": "end"}},
            "is no edge .* positions are given once",
        ),
        (["L0.H0[end]"], {"ablation": {"kind": "zero"}}, "every position is ablated"),
        (["L0.H0[end]"], {"ablation": {"kind": "zero", "at": ["all"]}}, "every position is ablat"),
        (
            ["L0.H0[end]"],
            {
                "ablation": {
                    "kind": "optimal",
                    "at": "end",
                    "reference": {"name": "known:indirect_object", "n": 8, "seed": 1},
                }
            },
            "the ablation is 'optimal'",
        ),
        (
            ["L0.H0[end]"],
            {"claim": FAITHFUL | {"circuit": ["L1.H0"]}},
            "'L1.H0' has no position, and the first entry of the file's circuit has one",
        ),
    ],
)
def test_refused_circuits(circuit: list[str], changes: dict[str, Any], said: str) -> None:
    file = known(circuit, **changes)
    with pytest.raises(ClaimFileError, match=said) as refused:
        circuit_of(file)
        circuit_of(file, file.claims[0])
    assert refused.value.possible and refused.value.write


def test_a_circuit_of_another_model_or_of_everything() -> None:
    graph = known_net().graph
    with pytest.raises(ClaimFileError, match=r"Did you mean 'L2.H\d\[end\]'"):
        check_against_graph(known(["L2.H9[end]"]), graph)
    every = [f"{head}[{at}]" for head in graph.heads() for at in ("S2", "end")]
    with pytest.raises(ClaimFileError, match="all 18 mediators at positions"):
        check_against_graph(known(every), graph)
    check_against_graph(known(every[1:]), graph)


def test_spellings_are_canonical_and_a_single_position_does() -> None:
    file = known(["a0.h0[ S2 ]", "L1H0[end]"])
    assert circuit_of(file) == ("L0.H0[S2]", "L1.H0[end]")
    at_end = known(["L1.H0[end]"], ablation={"kind": "zero", "at": "end"})
    assert list(universe(at_end, known_net().graph))[:2] == ["L0.H0[end]", "L0.H1[end]"]


def test_two_names_of_one_token_are_refused(
    net: LiftedNetwork, folder: Path, pairs: PromptPairs
) -> None:
    """It could not be kept under one name and ablated under the other."""
    file = claim_file(folder, circuit=["L0.H0[end]"], ablation=ABLATED)
    places = {**pairs.base.positions, "changed": (3, 5, 3, 3)}
    twice = replace(pairs, base=replace(pairs.base, positions=places))
    with pytest.raises(
        AlignmentError, match="changed and end are one token in the base prompt of pair 1"
    ):
        scores_of(file, net, twice)


def test_what_no_scorer_takes(net: LiftedNetwork) -> None:
    head = net.graph.heads()[0]
    zero = Ablation(AblationKind.ZERO)
    optimal = Ablation(AblationKind.OPTIMAL, "r", 1, learning=Learning())
    make: Callable[..., CircuitScorer] = partial(CircuitScorer, net, logit_diff)
    with pytest.raises(TermError, match=r"L0.H0\[end\], and nodes as a whole"):
        make(zero, (Cell(head, "end"), head), at=("end",))
    with pytest.raises(TermError, match="at a position that is not ablated"):
        make(zero, (Cell(head, "S2"),), at=("end",))
    with pytest.raises(TermError, match="with optimal constants"):
        make(optimal, (Cell(head, "end"),), at=("end",))
