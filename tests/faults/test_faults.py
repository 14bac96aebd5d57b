"""Every fault of the table is refused by an error that says where, and nothing is left behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.faults import FAULTS
from tests.faults.table import Fault, asking, in_waves, lifting, running


@contextmanager
def forwards_of(module: nn.Module) -> Iterator[list[int]]:
    """Count how often a module runs; a hook of all modules is no change to this one."""
    seen: list[int] = []

    def count(running: nn.Module, _args: Any) -> None:
        if running is module:
            seen.append(1)

    handle = register_module_forward_pre_hook(count)
    try:
        yield seen
    finally:
        handle.remove()


def condition(module: Any) -> dict[str, Any]:
    """What a model is: its numbers, hooks, switches and attention."""
    parts = dict(module.named_modules())
    return {
        "hooks": {path: (*p._forward_hooks, *p._forward_pre_hooks) for path, p in parts.items()},
        "training": {path: part.training for path, part in parts.items()},
        "forward": {path: vars(part).get("forward") for path, part in parts.items()},
        "attention": getattr(getattr(module, "config", None), "_attn_implementation", None),
    }


def numbers(module: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def are_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    def is_same(a: Tensor, b: Tensor) -> bool:
        if a.is_meta or b.is_meta:
            return a.is_meta and b.is_meta
        return a.dtype == b.dtype and torch.equal(a.view(torch.uint8), b.view(torch.uint8))

    return ours.keys() == theirs.keys() and all(is_same(ours[n], theirs[n]) for n in ours)


def named(faults: list[Fault]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=[fault.name for fault in faults])


@named(FAULTS)
def test_a_fault_is_refused_and_located(fault: Fault, tmp_path: Path) -> None:
    is_refused(fault, tmp_path)


@named([each for each in FAULTS if each.use is running and not (each.forwards or each.of_hooks)])
def test_the_wavefront_refuses_it_as_well(fault: Fault, tmp_path: Path) -> None:
    is_refused(replace(fault, use=in_waves), tmp_path)


def is_refused(fault: Fault, folder: Path) -> None:
    fault.use(fault.start(folder))  # the set-up is right
    work = fault.start(folder)
    fault.put(work)
    if fault.use in (running, asking, in_waves):
        lifting(work)  # with what is wrong: it shows later
    before, weights = condition(work.module), numbers(work.module)
    with forwards_of(work.module) as forwards, pytest.raises(fault.error) as caught:
        fault.use(work)
    assert type(caught.value) is fault.error
    told = str(caught.value)
    assert [word for word in fault.words if word not in told] == [], told
    assert ". " in told, "the message says no more than what came"
    assert fault.forwards or not forwards
    assert condition(work.module) == before
    assert are_equal(numbers(work.module), weights)


def test_the_table_is_large_and_its_rows_differ() -> None:
    assert len(FAULTS) >= 48
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.words for fault in FAULTS)
