"""The prompts of a claim file: those that test, those that found, those of the reference set."""

from functools import partial
from pathlib import Path
from typing import Any

from causalnet.claims.schema import ClaimFile, PromptPolicy, ReferenceSpec, TaskSpec
from causalnet.errors import AlignmentError, ClaimFileError
from causalnet.tasks import PromptPairs, Prompts, make, read_pairs

__all__ = [
    "check_seed",
    "finding_pairs",
    "found_on",
    "pairs_of",
    "reference_prompts",
    "repeated",
    "shared_rows",
    "shared_with_reference",
    "testing_pairs",
]


def testing_pairs(claim_file: ClaimFile, tokenizer: Any, seed: int | None = None) -> PromptPairs:
    """Return the pairs that test the claims.

    Args:
        claim_file: The file.
        tokenizer: The model's tokenizer.
        seed: Replaces the seed of the file.

    Raises:
        ClaimFileError: A seed for prompts that are read from a file, or a pair that the file has
            twice.
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made.
    """
    check_seed(claim_file, seed)
    ablation = claim_file.ablation
    must_align = ablation.kind == "counterfactual" and ablation.positions is None
    pairs = _pairs(claim_file, claim_file.task, tokenizer, seed, must_align)
    again = repeated(pairs)
    if again and claim_file.task.file is not None:
        raise ClaimFileError(
            f"Pair {again[0] + 1} of {claim_file.task.file!r} is there before; so are "
            f"{len(again) - 1} more."
            if len(again) > 1
            else f"Pair {again[0] + 1} of {claim_file.task.file!r} is there before.",
            "A prompt that is counted twice says nothing new, and makes intervals too narrow.",
            "Delete the rows that repeat others.",
        )
    return pairs


def repeated(pairs: PromptPairs) -> tuple[int, ...]:
    """Return the rows whose base, source and answers are those of an earlier row."""
    seen: set[tuple[object, ...]] = set()
    again = []
    asked = (pairs.base.ids, pairs.source.ids, pairs.answers, pairs.foils)
    for row, one in enumerate(zip(*asked, strict=True)):
        if one in seen:
            again.append(row)
        seen.add(one)
    return tuple(again)


def check_seed(claim_file: ClaimFile, seed: int | None) -> None:
    """Refuse a seed for prompts that are read from a file.

    Raises:
        ClaimFileError: There is a seed, and nothing that it could change.
    """
    if seed is not None and claim_file.task.file is not None:
        raise ClaimFileError(
            f"The seed {seed} was given, but the prompts are read from {claim_file.task.file!r}.",
            "A seed is for prompts of a generator.",
            "Leave the seed out.",
        )


def shared_with_reference(pairs: PromptPairs, reference: Prompts | PromptPairs | None) -> int:
    """Return how many prompts of the reference set are test prompts, of either side."""
    if reference is None:
        return 0
    tested = {*pairs.base.ids, *pairs.source.ids}
    prompts = reference.base if isinstance(reference, PromptPairs) else reference
    return sum(ids in tested for ids in prompts.ids)


def reference_prompts(claim_file: ClaimFile, tokenizer: Any) -> Prompts | PromptPairs | None:
    """Return the prompts of the ablation's reference set, if it has one.

    Those that constants are learned on are pairs, whose answers may be learned too.

    Raises:
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made.
    """
    spec: ReferenceSpec | None = claim_file.ablation.reference
    if spec is None:
        return None
    pairs = _pairs(claim_file, spec, tokenizer)
    if claim_file.ablation.kind == "optimal":
        return pairs
    return pairs.source if claim_file.ablation.side == "source" else pairs.base


def found_on(claim_file: ClaimFile, tokenizer: Any, tested: PromptPairs) -> int | None:
    """Return how many test pairs found the circuit; None where the finding prompts are not named.

    Raises:
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made.
    """
    spec = claim_file.found.task
    if spec is None:
        return None
    return len(shared_rows(tested, _pairs(claim_file, spec, tokenizer)))


def shared_rows(pairs: PromptPairs, others: PromptPairs) -> tuple[int, ...]:
    """Return the rows whose base prompt is one of the others', or that are one of them turned."""
    bases = set(others.base.ids)
    turned = set(zip(others.source.ids, others.base.ids, strict=True))
    rows = enumerate(zip(pairs.base.ids, pairs.source.ids, strict=True))
    return tuple(row for row, pair in rows if pair[0] in bases or pair in turned)


def finding_pairs(claim_file: ClaimFile, tokenizer: Any, tested: PromptPairs) -> PromptPairs:
    """Return the prompts to search on: those that found the circuit, none of which is a test.

    Where the file names none, they are drawn from the test's generator with the next seed, and
    those that test are left out.

    Args:
        claim_file: The file.
        tokenizer: The model's tokenizer.
        tested: The prompts that test the claims.

    Raises:
        ClaimFileError: There are none beside the test prompts.
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made.
    """
    pairs, fresh = None, []
    for spec in _finding(claim_file):
        pairs = _pairs(claim_file, spec, tokenizer)
        known = frozenset(shared_rows(pairs, tested))
        fresh = [row for row in range(len(pairs)) if row not in known]
        if fresh:
            break
    if pairs is None or not fresh:
        raise ClaimFileError(
            "There are no prompts to search on beside the test prompts.",
            "What is searched for on test prompts cannot be tested on them.",
            "Name others with 'found: {task: …}'.",
        )
    return pairs.rows(fresh)


def _finding(claim_file: ClaimFile) -> tuple[TaskSpec, ...]:
    """Return the prompts to search on: those of the first spec that has any beside the test's.

    A seed that replaces the file's may be the next one: then it is the one after that.
    """
    if claim_file.found.task is not None:
        return (claim_file.found.task,)
    task, seed = claim_file.task, claim_file.task.seed
    if seed is None:
        return ()
    return tuple(task.model_copy(update={"seed": seed + step}) for step in (1, 2))


def pairs_of(claim_file: ClaimFile, spec: TaskSpec, tokenizer: Any) -> PromptPairs:
    """Return the pairs of a task, under the file's policy.

    Raises:
        PromptError, AnswerError, AlignmentError: Prompts that cannot be made.
    """
    return _pairs(claim_file, spec, tokenizer)


def _pairs(
    claim_file: ClaimFile,
    spec: TaskSpec,
    tokenizer: Any,
    seed: int | None = None,
    must_align: bool = False,
) -> PromptPairs:
    policy = claim_file.prompts
    if spec.file is not None:
        here = Path(claim_file.source.path).parent if claim_file.source else Path()
        pairs = _read(here / spec.file, policy, tokenizer, must_align)
        return pairs if spec.n is None or spec.n >= len(pairs) else pairs.rows(range(spec.n))
    assert spec.name is not None and spec.n is not None and spec.seed is not None  # the schema
    return make(
        spec.name,
        tokenizer,
        spec.n,
        spec.seed if seed is None else seed,
        bos=policy.bos,
        chat_template=policy.chat_template,
        **spec.generator_options,
    )


def _read(path: Path, policy: PromptPolicy, tokenizer: Any, must_align: bool) -> PromptPairs:
    """Read a user's pairs; base and source line up only where values move between positions."""
    read = partial(read_pairs, path, tokenizer, bos=policy.bos, chat_template=policy.chat_template)
    try:
        return read()
    except AlignmentError as error:
        if must_align:
            raise AlignmentError(
                error.came,
                f"{error.possible} Values move between equal places where everything is ablated "
                "at all positions.",
                "Change a word so that they line up, or ablate at the last token alone: "
                "'ablation: {at: end}'.",
            ) from error
        return read(align=False)
