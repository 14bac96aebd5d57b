"""Training that can be made again: stopped and resumed without a trace, refused where it must."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalnet.errors import FormatError, NumericalError, ParameterError
from causalnet.known_circuits.module import SmallShape
from causalnet.known_circuits.training import Course, Look, Trainer, fresh, recipe_digest, train
from causalnet.store import Archive, open_archive, save_archive

SLOW = Course(steps=7, every=2, weight_decay=0.1, slow=(2.0, 0.9), clip=0.5)
COURSES = [Course(steps=7, every=2), SLOW]
SHAPE = SmallShape(5, 4, 8, layers=2, heads=2, head_width=4, silent=("L0.H1", "L1.mlp"))


class Interrupted(Exception):
    """What a user who is tired of waiting raises."""


def line(seed: int = 0) -> nn.Linear:
    module = nn.Linear(3, 1)
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def sums(module: nn.Linear, recipe: Mapping[str, object] | None = None) -> Trainer:
    """Learn to add three numbers up."""

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        x = torch.randn(8, 3, generator=generator)
        return {"square": (module(x)[:, 0] - x.sum(1)).square().mean()}

    def measures() -> dict[str, float]:
        return {"largest": float(module.weight.max())}

    return Trainer(recipe or {"task": "sums"}, losses, measures, lambda seen: False)


def stopping_at(step: int) -> Callable[[Look], None]:
    def stop(look: Look) -> None:
        if look.step == step:
            raise Interrupted

    return stop


@pytest.mark.parametrize("course", COURSES, ids=["plain", "slow gradients"])
def test_a_resumed_training_ends_bit_by_bit_where_an_uninterrupted_one_does(
    course: Course, tmp_path: Path
) -> None:
    whole = line()
    looks = train(whole, sums(whole), course)
    assert [look.step for look in looks] == [2, 4, 6, 7]

    stopped, file = line(), tmp_path / "line.safetensors"
    with pytest.raises(Interrupted):
        train(stopped, sums(stopped), course, progress=stopping_at(4), checkpoint=file)
    seen: list[Look] = []
    resumed = line(seed=1)  # whose own weights do not count
    again = train(resumed, sums(resumed), course, progress=seen.append, checkpoint=file)
    assert [look.step for look in seen] == [6, 7]
    assert torch.equal(resumed.weight, whole.weight) and torch.equal(resumed.bias, whole.bias)
    assert [(one.step, one.losses, one.measures) for one in again] == [
        (one.step, one.losses, one.measures) for one in looks
    ]


def test_a_finished_training_is_read_and_takes_no_step(tmp_path: Path) -> None:
    file, first = tmp_path / "line.safetensors", line()
    looks = train(first, sums(first), COURSES[0], checkpoint=file)
    second = line(seed=1)

    def refuse(generator: torch.Generator) -> dict[str, Tensor]:
        raise AssertionError("a step was taken")

    trainer = sums(second)
    unused = Trainer(trainer.recipe, refuse, trainer.measures, trainer.is_enough)
    assert train(second, unused, COURSES[0], checkpoint=file) == looks
    assert torch.equal(first.weight, second.weight)


def test_a_training_ends_when_enough_is_seen() -> None:
    module = line()
    trainer = sums(module)
    enough = Trainer(trainer.recipe, trainer.losses, lambda: {"x": 1.0}, lambda seen: seen["x"] > 0)
    assert [look.step for look in train(module, enough, Course(steps=50, every=5))] == [5]


def test_the_checkpoint_of_another_training_is_refused_and_kept(tmp_path: Path) -> None:
    file, module = tmp_path / "line.safetensors", line()
    train(module, sums(module), COURSES[0], checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(FormatError, match=r"differs in strict, task\. .*Give another file"):
        train(module, sums(module, {"task": "other", "strict": 1}), COURSES[0], checkpoint=file)
    assert file.read_bytes() == before

    save_archive(Archive("effect table", {}, {"x": np.zeros(1)}), file)
    with pytest.raises(FormatError, match="no training: it is 'effect table'"):
        train(module, sums(module), COURSES[0], checkpoint=file)
    file.write_bytes(before[:-5])
    with pytest.raises(FormatError, match=r"cannot be read|altered"):
        train(module, sums(module), COURSES[0], checkpoint=file)


def test_a_folder_keeps_trainings_by_their_recipes(tmp_path: Path) -> None:
    module, other = line(), line(seed=1)
    with pytest.warns(UserWarning, match="Training a network, once"):
        looks = train(module, sums(module), COURSES[0], checkpoint=tmp_path)
    [file] = tmp_path.iterdir()
    assert file.stem == recipe_digest({"task": "sums"})
    assert train(other, sums(other), COURSES[0], checkpoint=tmp_path) == looks

    file.write_bytes(file.read_bytes()[:-5])
    again = line()
    with pytest.warns(UserWarning, match=r"cannot be read.*It is trained again"):
        train(again, sums(again), COURSES[0], checkpoint=tmp_path)
    assert torch.equal(again.weight, other.weight)
    assert open_archive(file).kind == "training"


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    module, file = line(), tmp_path / "line.safetensors"
    trainer = sums(module)

    def infinite(generator: torch.Generator) -> dict[str, Tensor]:
        return {"square": module.weight.sum() * torch.inf}

    broken = Trainer(trainer.recipe, infinite, trainer.measures, trainer.is_enough)
    with pytest.raises(NumericalError, match=r"'square' is -?(inf|nan) after 2 steps"):
        train(module, broken, COURSES[0], checkpoint=file)
    assert not file.exists()


def test_neither_threads_nor_the_global_generator_are_touched() -> None:
    before, module = torch.get_num_threads(), line()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(module, sums(module), COURSES[0])
    fresh(SHAPE, seed=0)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == before


def test_fresh_weights_follow_their_seed_and_silence_holds() -> None:
    one, same, other = (fresh(SHAPE, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["tokens.weight"], other["tokens.weight"])
    assert not one["blocks.0.attention.output.weight"][:, 4:].any()
    assert not one["blocks.1.mlp.out.weight"].any()
    with pytest.raises(ParameterError, match="rate=0"):
        Course(rate=0)


def test_the_filter_adds_what_is_slow_in_the_gradients() -> None:
    """With constant gradients g, step n sees g (1 + share (1 - decay^n)), by its definition."""
    module = line()
    start = module.weight.detach().clone()
    trainer = Trainer({}, lambda _: {"sum": module.weight.sum()}, lambda: {}, lambda seen: False)
    # Adam divides by the root of the mean square: with both betas 0 every step has the size rate.
    course = Course(steps=3, every=3, rate=0.1, betas=(0.0, 0.0), clip=None, slow=(2.0, 0.5))
    train(module, trainer, course)
    torch.testing.assert_close(module.weight.detach(), start - 0.3, rtol=0, atol=1e-5)
    assert module.weight.grad is not None
    torch.testing.assert_close(module.weight.grad, torch.full((1, 3), 1 + 2 * (1 - 0.5**3)))


def test_a_recipe_is_known_by_all_it_says() -> None:
    assert recipe_digest({"a": 1, "b": [2]}) == recipe_digest({"b": (2,), "a": 1})
    assert recipe_digest({"a": 1}) != recipe_digest({"a": 2})
