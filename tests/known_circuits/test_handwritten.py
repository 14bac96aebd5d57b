"""The hand-written networks: what they compute, how they are drawn, what they refuse."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ModelNotFoundError, ParameterError
from causalnet.known_circuits import KNOWN, TRAINED, KnownCircuit, known_circuit
from causalnet.known_circuits.builders import BUILDERS
from causalnet.known_circuits.module import SmallTransformer
from tests.known_circuits.formulas import FORMULAS

#: Pairs with seed 3, published with the first form of these networks: base, source.
PUBLISHED = {
    "induction": [
        ("6 6 6 6 6 0 3 7 8 6 0 3", "6 6 6 6 6 0 3 4 8 6 0 3"),
        ("1 1 1 1 1 1 3 0 9 5 1 3", "1 1 1 1 1 1 3 6 9 5 1 3"),
        ("2 2 2 2 2 6 3 8 0 2 6 3", "2 2 2 2 2 6 3 9 0 2 6 3"),
    ],
    "proportion": [
        ("1 3 2 2 0 0 0 0 1 4", "0 1 4 3 4 2 3 0 2 1"),
        ("4 1 0 4 1 4 0 4 0 4", "3 4 1 0 4 1 1 3 2 1"),
        ("1 4 1 1 2 3 2 4 4 0", "3 1 4 4 4 0 1 3 1 2"),
    ],
    "sort": [
        ("4 1 5 6 0 2", "0 3 6 1 8 7"),
        ("7 4 8 6 1 3", "4 2 5 1 7 3"),
        ("3 7 8 5 0 6", "4 3 1 6 8 0"),
    ],
    "brackets": [
        ("0 0 0 1 1 0 1 1 0 1", "0 1 0 1 0 0 0 1 1 1"),
        ("0 1 1 1 0 1 1 0 0 0", "0 0 0 1 0 0 1 1 0 0"),
        ("0 0 0 0 0 1 1 1 1 1", "0 0 0 1 0 0 1 1 1 1"),
    ],
    "indirect_object": [
        ("12 4 9 2 9 2 11 13", "12 4 9 2 9 4 11 13"),
        ("12 2 10 7 8 2 8 13", "12 2 10 7 8 7 8 13"),
        ("12 7 10 4 10 4 10 13", "12 7 10 4 10 7 10 13"),
    ],
}


def ids_of(circuit: KnownCircuit, n: int, seed: int) -> torch.Tensor:
    return torch.tensor([row["base_ids"] for row in circuit.rows(n, seed)])


def one(row: Any, name: str) -> int:
    index: int = row[name][0]
    return index


@pytest.mark.parametrize("name", KNOWN)
def test_logits_are_those_of_the_formulas(name: str) -> None:
    """Oracle: formulas over tokens, at all positions, of random tokens too; tolerance 1e-10."""
    circuit = known_circuit(name)
    shape = (16, circuit.shape.length)
    drawn = torch.randint(0, circuit.shape.vocabulary, shape, generator=torch.manual_seed(5))
    if circuit.name.startswith("sort"):
        drawn = drawn[:0]  # ranks are of different tokens
    ids = torch.cat([ids_of(circuit, 16, seed=4), drawn])
    for row, logits in zip(ids.tolist(), circuit.module()(ids), strict=True):
        expected = torch.from_numpy(FORMULAS[name](row))
        assert torch.allclose(logits, expected, rtol=0, atol=1e-10)


@settings(max_examples=10)
@given(st.integers(0, 2**31 - 1))
def test_copies_and_indirect_objects_are_all_right(seed: int) -> None:
    for name in (name for name in KNOWN if name.startswith("ind")):
        circuit = known_circuit(name)
        for row, logits in zip(
            circuit.rows(50, seed), circuit.module()(ids_of(circuit, 50, seed)), strict=True
        ):
            base: Any = row["base_ids"]
            if name.startswith("induction"):
                answer = base[base.index(base[-1], 0, -1) + 1]
            else:
                (answer,) = (word for word in base if word < 8 and base.count(word) == 1)
            assert int(logits[-1].argmax()) == answer == one(row, "answer_ids")


@settings(max_examples=10)
@given(st.integers(0, 2**31 - 1))
def test_sorting_is_all_right(seed: int) -> None:
    for name in ("sort", "sort_soft"):
        circuit = known_circuit(name)
        ids = ids_of(circuit, 50, seed)
        assert torch.equal(circuit.module()(ids).argmax(-1), ids.sort(-1).values)


@settings(max_examples=10)
@given(st.integers(0, 2**31 - 1))
def test_brackets_are_all_right(seed: int) -> None:
    circuit = known_circuit("brackets")
    ids = ids_of(circuit, 50, seed)
    logits = circuit.module()(ids)[:, -1, 0]
    right = 0
    for row, logit in zip(ids.tolist(), logits.tolist(), strict=True):
        text = "".join("()"[index] for index in row)
        while "()" in text:
            text = text.replace("()", "")
        right += (abs(logit) < 1e-9) == (text == "") and logit < 1e-9
    assert right == 50
    assert 25 <= int((logits.abs() < 1e-9).sum()) < 50  # half are drawn balanced


def test_the_share_of_x_is_right() -> None:
    circuit = known_circuit("proportion")
    ids = ids_of(circuit, 200, seed=9)
    logits = circuit.module()(ids)
    shares = (ids == 0).double().mean(1)
    assert torch.allclose(logits[:, -1, 0], shares, rtol=0, atol=1e-12)
    assert not logits[..., 1:].any()


@pytest.mark.parametrize("name", PUBLISHED)
def test_prompts_are_the_published_ones(name: str) -> None:
    drawn = [(row["base_ids"], row["source_ids"]) for row in known_circuit(name).rows(3, seed=3)]
    listed = [
        tuple([int(index) for index in side.split()] for side in pair) for pair in PUBLISHED[name]
    ]
    assert drawn == listed


@pytest.mark.parametrize("name", KNOWN)
def test_rows_say_what_they_hold(name: str) -> None:
    circuit = known_circuit(name)
    assert circuit.rows(40, seed=1) == circuit.rows(40, seed=1)
    assert circuit.rows(40, seed=1) != circuit.rows(40, seed=2)
    for row in circuit.rows(40, seed=1):
        base, source, places = (row[key] for key in ("base_ids", "source_ids", "positions"))
        assert isinstance(base, list) and isinstance(source, list) and isinstance(places, dict)
        assert len(base) == len(source) == circuit.shape.length
        changed = [at for at in range(len(base)) if base[at] != source[at]]
        answer, foil = one(row, "answer_ids"), one(row, "foil_ids")
        if name.startswith("induction"):
            assert changed == [places["copied"]] == [places["first"] + 1]
            assert base[places["first"]] == base[places["second"]] == base[-1]
            assert (base[places["copied"]], source[places["copied"]]) == (answer, foil)
        elif name.startswith("indirect"):
            assert changed == [places["S2"]]
            assert [base[places[at]] for at in ("IO", "S1", "S2")] == [answer, foil, foil]
            assert source[places["S2"]] == answer
        elif name.startswith("sort"):
            assert [foil, answer] == sorted(base)[-2:]
        else:
            assert (answer, foil) == (0, 1)


def read_junk(module: SmallTransformer, layer: int, head: int, part: str) -> torch.Tensor:
    """A head's weights as [stream, 4]; the output's as [4, stream]."""
    attention: Any = module.blocks[layer].attention
    width = module.config.head_width
    start = head * width
    if part == "output":
        weight: torch.Tensor = attention.output.weight[:, start : start + width].T
    else:
        weight = getattr(attention, part).weight[start : start + width].T
    return weight


@pytest.mark.parametrize("name", ["induction", "sort_soft", "indirect_object_backup_negative"])
@pytest.mark.parametrize("seed", [0, 7])
def test_junk_is_drawn_in_a_fixed_order(name: str, seed: int) -> None:
    """Layer by layer, head by head: query, key (0.7 times, tokens then positions), value, output.

    Oracle: the same draws, one after the other; equal bits.
    """
    circuit = known_circuit(name, seed=seed)
    module, draws = circuit.module(), torch.Generator().manual_seed(seed)
    tokens, places = circuit.shape.vocabulary, circuit.shape.length

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draws, dtype=torch.float64)

    junk = [node for node, role in circuit.roles.items() if role.startswith("junk")]
    assert junk == sorted(junk)
    for node in junk:
        layer, head = int(node[1]), int(node[4])
        for part in ("query", "key"):
            weight = read_junk(module, layer, head, part)
            assert torch.equal(weight[:tokens, :4], 0.7 * draw(tokens, 4))
            assert torch.equal(weight[tokens : tokens + places, :4], 0.7 * draw(places, 4))
            assert not weight[tokens + places :].any() and not weight[:, 4:].any()
        assert torch.equal(read_junk(module, layer, head, "value")[:tokens, :4], draw(tokens, 4))
        width = 8 if name == "induction" else 6
        output = read_junk(module, layer, head, "output")
        assert torch.equal(output[:4, -width:], draw(4, width))
        assert not output[:, :-width].any()


def test_building_is_deterministic_and_leaves_the_global_generator_alone() -> None:
    for name in KNOWN:
        before = torch.random.get_rng_state()
        circuit = known_circuit(name)
        first, second = circuit.module(), circuit.module()
        assert torch.equal(torch.random.get_rng_state(), before)
        assert first is not second
        pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)
        assert circuit == known_circuit(name) and hash(circuit) == hash(known_circuit(name))
        assert {parameter.dtype for parameter in first.parameters()} == {torch.float64}
    with torch.no_grad():
        first.tokens.weight.zero_()
    assert circuit.module().tokens.weight.any()


def test_the_backup_takes_over_when_the_mover_is_gone() -> None:
    """The logit difference stays at 7.5; without both it is what the negative mover leaves."""
    circuit = known_circuit("indirect_object_backup_negative")
    module, width = circuit.module(), circuit.shape.head_width
    rows = circuit.rows(64, seed=6)
    ids = torch.tensor([row["base_ids"] for row in rows])
    answers, foils = (
        torch.tensor([one(row, side) for row in rows]) for side in ("answer_ids", "foil_ids")
    )

    def difference(*gone: tuple[int, int]) -> torch.Tensor:
        def silencer(head: int) -> Any:
            def silence(_: object, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
                mixed = args[0].clone()
                mixed[..., head * width : (head + 1) * width] = 0
                return (mixed,)

            return silence

        handles = [
            module.get_submodule(f"blocks.{layer}.attention.output").register_forward_pre_hook(
                silencer(head)
            )
            for layer, head in gone
        ]
        logits = module(ids)[:, -1]
        for handle in handles:
            handle.remove()
        at = torch.arange(len(ids))
        found: torch.Tensor = logits[at, answers] - logits[at, foils]
        return found

    mover, backup, negative = (2, 0), (3, 0), (3, 1)
    for gone, expected in (
        ((), 7.5),
        ((mover,), 7.5),
        ((backup,), 7.5),
        ((mover, backup), -2.5),
        ((negative,), 10.0),
    ):
        assert torch.allclose(difference(*gone), torch.tensor(expected).double(), atol=1e-5), gone


def test_roles_name_every_node_that_is_not_silent() -> None:
    for name in KNOWN:
        circuit = known_circuit(name)
        nodes = {
            f"L{layer}.{part}"
            for layer in range(circuit.shape.layers)
            for part in (*(f"H{head}" for head in range(circuit.shape.heads)), "mlp")
        }
        inner = {"embed", "pos_embed"}
        assert set(circuit.roles) == (nodes - set(circuit.shape.silent)) | inner


def test_every_name_has_a_builder() -> None:
    assert set(BUILDERS) == {*KNOWN, *TRAINED}
    for name, description in KNOWN.items():
        assert description.endswith(".") and known_circuit(name).name == name
        assert len(known_circuit(name).words) == known_circuit(name).shape.vocabulary


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("proportion", {"sharpness": 2.0}, "no option 'sharpness'.*junk, seed"),
        ("sort", {"backup": True}, "no option 'backup'"),
        ("sort", {"junk": -1}, "junk=-1"),
        ("sort", {"junk": True}, "junk=True"),
        ("brackets", {"seed": -1}, "seed=-1"),
        ("proportion", {"seed": "a"}, "seed='a'"),
        ("sort", {"sharpness": "hard"}, "sharpness='hard'"),
        ("induction", {"sharpness": 0.0}, "sharpness=0.0"),
        ("induction", {"sharpness": float("nan")}, "sharpness=nan"),
        ("indirect_object", {"negative": -0.5}, "negative=-0.5"),
        ("indirect_object", {"negative": "much"}, "negative='much'"),
    ],
)
def test_an_option_that_is_not_there_is_refused(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        known_circuit(name, **options)


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(ModelNotFoundError, match="Did you mean 'induction' or 'induction_soft'"):
        known_circuit("inductoin")


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (True, 0), (2, -1), (2.5, 0)])
def test_a_number_of_rows_that_is_none_is_refused(n: int, seed: int) -> None:
    with pytest.raises(ParameterError, match="A whole number from"):
        known_circuit("sort").rows(n, seed)


def test_other_options_make_other_networks() -> None:
    plain = known_circuit("indirect_object")
    both = known_circuit("indirect_object", backup=True, negative=0.25)
    assert both.truth == known_circuit("indirect_object_backup_negative").truth != plain.truth
    assert known_circuit("sort", junk=5).shape.heads == 6
    assert known_circuit("induction", sharpness=6.0).truth == known_circuit("induction_soft").truth
