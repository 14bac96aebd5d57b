"""The prompts of a search: those that find a circuit, those that look at it, those that test it."""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalnet.claims.task_spec import TaskSpec
from causalnet.discovery.claims import task_of
from causalnet.errors import AlignmentError, ParameterError, PromptError
from causalnet.tasks import TASKS, PromptPairs, make, read_pairs

__all__ = ["SearchPrompts", "options_of", "prompts_for"]

TESTED = 128  # prompts that a claim file names; fewer are used once all claims are settled
SEEDS = 20  # that are tried until none of their prompts found the circuit
LEAST = 4  # pairs of a file


@dataclass(frozen=True, slots=True)
class SearchPrompts:
    """The prompts of a search.

    Attributes:
        found: They find the circuit.
        held_out: Others, which say how good it is.
        found_spec: How a claim file names those that found it.
        test_spec: How a claim file names those that test it.
        reference: Those of means, resampling and learned constants.
        reference_spec: How a claim file names them.
        side: Which prompts of the reference pairs.
        files: What has to be written beside the claim file.
        notes: What a reader should know.
    """

    found: PromptPairs
    held_out: PromptPairs
    found_spec: TaskSpec
    test_spec: TaskSpec
    reference: PromptPairs
    reference_spec: TaskSpec
    side: str
    files: Mapping[str, PromptPairs]
    notes: tuple[str, ...] = ()


def options_of(flag: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options that `NAME=VALUE` texts say; values are JSON where they can be.

    Raises:
        ParameterError: A text without `=`.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(
                f"{flag} {text!r}.",
                "An option has a name and a value.",
                f"Write {flag} name=value.",
            )
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def prompts_for(
    task: str,
    tokenizer: Any,
    *,
    n: int,
    seed: int,
    reference: int,
    options: Mapping[str, Any],
    must_align: bool,
    known: str = "",
) -> SearchPrompts:
    """Return the prompts of a search.

    Args:
        task: The name of a task, or a file of pairs.
        tokenizer: The model's tokenizer.
        n: How many find the circuit, and how many others look at it; of a file half each.
        seed: Seed of the task, or of the split of a file.
        reference: How many prompts means are taken over.
        options: Options of the task.
        must_align: Whether base and source have to have equal lengths.
        known: The task of a model that has few words, its own.

    Raises:
        PromptError: An unknown task (the nearest are named), a file that cannot be read or has too
            few pairs.
        AlignmentError: Pairs that do not line up where they must.
    """
    if task in TASKS or not _is_file(task):
        try:
            return _drawn(task, tokenizer, n, seed, reference, options)
        except PromptError as error:
            if known in ("", task):
                raise
            raise PromptError(
                f"The task {task!r} for the model {known!r}, which has few words.",
                f"Its own prompts are the task {known}.",
                f"Leave TASK out. ({error.came})",
            ) from error
    return _read(Path(task), tokenizer, n, seed, reference, options, must_align)


def _is_file(task: str) -> bool:
    return Path(task).suffix in (".jsonl", ".csv") or "/" in task or Path(task).is_file()


def _drawn(
    task: str,
    tokenizer: Any,
    n: int,
    seed: int,
    reference: int,
    options: Mapping[str, Any],
) -> SearchPrompts:
    """Draw prompts of a generator: each purpose has a seed of its own."""

    def draw(count: int, own: int) -> PromptPairs:
        return make(task, tokenizer, count, own, **options)

    found = draw(n, seed)
    used = set(found.prompt_digests())
    held_out, shared = _others(draw, n, range(seed + 1, seed + 1 + SEEDS), used)
    notes = []
    if shared:
        fresh = [row for row, one in enumerate(held_out.prompt_digests()) if one not in used]
        if not fresh:
            raise PromptError(
                f"All prompts of the task {task!r} with other seeds found the circuit too.",
                "A circuit is tested on prompts that did not find it.",
                "Take fewer with --prompts, or another task.",
            )
        held_out = held_out.rows(fresh)
        notes.append(f"{shared} prompts that also found the circuit are left out of the others.")
    first = (held_out.record.seed or 0) + 1
    test, also = _others(draw, TESTED, range(first, first + SEEDS), used)
    if also:
        notes.append(
            f"{also} of {len(test)} prompts of the claim file also found the circuit: the task has "
            "too few prompts for a verdict SUPPORTED."
        )
    own = draw(reference, (test.record.seed or 0) + 1)
    return SearchPrompts(
        found,
        held_out,
        task_of(found.record),
        task_of(test.record),
        own,
        task_of(own.record),
        "source",
        {},
        tuple(notes),
    )


def _others(
    draw: Callable[[int, int], PromptPairs], n: int, seeds: range, used: set[str]
) -> tuple[PromptPairs, int]:
    """Draw prompts with the first seed that shares none with those used, or the fewest."""
    best: tuple[int, PromptPairs] | None = None
    for seed in seeds:
        pairs = draw(n, seed)
        shared = sum(one in used for one in pairs.prompt_digests())
        if best is None or shared < best[0]:
            best = shared, pairs
        if not shared:
            break
    assert best is not None
    return best[1], best[0]


def _read(
    path: Path,
    tokenizer: Any,
    n: int,
    seed: int,
    reference: int,
    options: Mapping[str, Any],
    must_align: bool,
) -> SearchPrompts:
    """Split the pairs of a file into those that find and those that test."""
    pairs = _pairs(path, tokenizer, options, must_align)
    if len(pairs) < LEAST:
        raise PromptError(
            f"{str(path)!r} has {len(pairs)} pairs.",
            f"A search needs {LEAST} at least: half of them find the circuit, the others test it.",
            "Add pairs.",
        )
    rows = list(range(len(pairs)))
    random.Random(seed).shuffle(rows)
    half = min(n, len(pairs) // 2)
    found, test = pairs.rows(rows[:half]), pairs.rows(rows[half:])
    shared = sum(one in set(found.prompt_digests()) for one in test.prompt_digests())
    notes = (
        f"{path.name} has {len(pairs)} pairs: {half} of them, drawn with seed {seed}, found the "
        f"circuit, {len(test)} others test it.",
        *([f"{shared} of these are the same prompts."] if shared else []),
    )
    own = found.rows(range(min(reference, len(found))))
    return SearchPrompts(
        found,
        test,
        TaskSpec(file="found.jsonl"),
        TaskSpec(file="test.jsonl"),
        own,
        TaskSpec(file="found.jsonl", n=len(own)),
        "source",
        {"found.jsonl": found, "test.jsonl": test},
        notes,
    )


def _pairs(path: Path, tokenizer: Any, options: Mapping[str, Any], must_align: bool) -> PromptPairs:
    odd = sorted(set(options) - {"bos", "chat_template"})
    if odd:
        raise ParameterError(
            f"--option {odd[0]} with the prompts of {str(path)!r}.",
            "Prompts of a file take bos and chat_template.",
            "Leave it out.",
        )
    try:
        return read_pairs(path, tokenizer, **options)
    except AlignmentError as error:
        if must_align:
            raise AlignmentError(
                error.came,
                f"{error.possible} Values move between equal places where everything is ablated "
                "at all positions.",
                "Change a word so that they line up, write --at end, or another --ablation.",
            ) from error
        return read_pairs(path, tokenizer, align=False, **options)
