"""A model that is another than the one that was lifted is refused before anything is run."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from causalnet.errors import LiftError
from causalnet.execute import Bindings, evaluate, record
from causalnet.interventions import Base, Read, logit_diff
from causalnet.lift import check_unchanged, lift, raised_casts
from causalnet.lift.unchanged import check_state, state_of
from causalnet.models import load
from tests.small_models import tiny_gpt2, tiny_llama
from tests.toys import fresh_net, taken_as_it_is, word_pairs

DOWN = "model.layers.1.mlp.down_proj"


def scaled_in_place(module: Any) -> None:
    with torch.no_grad():
        module.get_parameter(f"{DOWN}.weight")[0, 0] += 1.0


def scaled_behind_torchs_back(module: Any) -> None:
    module.get_parameter(f"{DOWN}.weight").data[:, :8].mul_(2.0)


def replaced(module: Any) -> None:
    part = module.get_submodule(DOWN)
    part.weight = nn.Parameter(part.weight.clone(), requires_grad=False)


def moved(module: Any) -> None:
    part = module.get_submodule(DOWN)
    part.weight.data = part.weight.data.clone()


def narrowed(module: Any) -> None:
    module.get_submodule(DOWN).float()


def wrapped(module: Any) -> None:
    module.model.layers[1].mlp.down_proj = nn.Sequential(module.get_submodule(DOWN))


def deleted(module: Any) -> None:
    module.get_submodule(DOWN).weight = None


def another_forward(module: Any) -> None:
    module.get_submodule(DOWN).forward = lambda x: x


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (scaled_in_place, f"{DOWN}.weight was edited in place or moved"),
        (scaled_behind_torchs_back, f"{DOWN}.weight holds other numbers"),
        (replaced, f"{DOWN}.weight is another tensor"),
        (moved, f"{DOWN}.weight was edited in place or moved"),
        (narrowed, f"{DOWN}.weight is torch.float32 on cpu and was torch.float64 on cpu"),
        (wrapped, f"{DOWN} is another module"),
        (deleted, f"{DOWN}.weight is gone"),
        (another_forward, f"{DOWN} has another forward"),
    ],
)
def test_what_was_changed_is_named(change: Callable[[Any], None], told: str) -> None:
    network = fresh_net()
    check_unchanged(network)
    change(network.model.module)
    with pytest.raises(LiftError, match=f"changed after it was lifted: {told}"):
        check_unchanged(network)
    check_unchanged(taken_as_it_is(network))


def test_both_doors_of_the_hook_executor_look() -> None:
    network, pairs = fresh_net(), word_pairs(2)
    scaled_in_place(network.model.module)
    with pytest.raises(LiftError, match=DOWN):
        evaluate([Read(logit_diff, Base("base"))], network, Bindings.of(pairs))
    with pytest.raises(LiftError, match=DOWN):
        record(["embed"], network, pairs.base, lambda *_: None)


def test_a_table_may_be_finer_but_not_another() -> None:
    """Raised casts put float64 frequencies in place of float32 ones."""
    module = tiny_llama()
    network, table = lift(load(module)), module.model.rotary_emb
    with raised_casts(module):
        assert table.inv_freq.dtype == torch.float64
        check_unchanged(network)
    check_unchanged(network)
    table.inv_freq[1] *= 1.001
    with pytest.raises(LiftError, match=r"model\.rotary_emb\.inv_freq holds other numbers"):
        check_unchanged(network)


def test_switches_and_numbers_of_modules() -> None:
    network = lift(load(tiny_gpt2()))
    module: Any = network.model.module
    module.transformer.h[1].ln_2.eps = 1e-4
    with pytest.raises(LiftError, match=r"transformer\.h\.1\.ln_2\.eps is 0\.0001 and was 1e-05"):
        check_unchanged(network)
    module.transformer.h[1].ln_2.eps = 1e-5
    module.train()
    with pytest.raises(LiftError, match="its training is True and was False"):
        check_unchanged(network)


def test_hooks_that_were_there_are_part_of_what_was_checked() -> None:
    module, seen = tiny_llama(), list[int]()
    handle = module.lm_head.register_forward_hook(lambda *_: seen.append(0))
    network = lift(load(module))
    check_unchanged(network)
    module.lm_head.register_forward_pre_hook(lambda *_: None)
    with pytest.raises(LiftError, match=r"Hooks on lm_head .* 1 then, 2 now.*handle.remove"):
        check_unchanged(network)
    handle.remove()
    with pytest.raises(LiftError, match=r"Hooks on lm_head"):
        check_unchanged(network)


def test_running_changes_nothing() -> None:
    for network in (fresh_net(), fresh_net("gpt2"), lift(load(tiny_llama(dtype=torch.bfloat16)))):
        evaluate([Read(logit_diff, Base("base"))], network, Bindings.of(word_pairs(2)))
        check_unchanged(network)


@settings(max_examples=50)
@given(
    rows=st.integers(1, 3000), columns=st.integers(1, 3000), side=st.integers(0, 1), data=st.data()
)
def test_an_eighth_of_the_rows_or_columns_is_never_missed(
    rows: int, columns: int, side: int, data: st.DataObject
) -> None:
    """A head, a K/V group is a run of rows or of columns of its projection."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.zeros(rows, columns))
    state = state_of(module)
    size = (rows, columns)[side]
    run = -(-size // 8)
    start = data.draw(st.integers(0, size - run))
    module.weight.data.narrow(side, start, run).add_(1.0)
    with pytest.raises(LiftError, match="weight holds other numbers"):
        check_state(module, state)


def test_weights_that_are_no_numbers_are_equal_to_themselves() -> None:
    module = nn.Linear(3, 3)
    with torch.no_grad():
        module.weight[0] = float("nan")
    state = state_of(module)
    check_state(module, state)
    module.weight.data[1] = float("nan")
    with pytest.raises(LiftError, match="weight holds other numbers"):
        check_state(module, state)
