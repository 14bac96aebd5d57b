"""Hypotheses of claim files, made into high-level models, alignments and examples."""

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causalnet.abstraction import Alignment, Examples, HighLevelModel, aligned
from causalnet.claims.circuits import place_error
from causalnet.claims.kinds.abstraction import AbstractionClaim, HypothesisSpec
from causalnet.claims.schema import ClaimFile
from causalnet.claims.tree import KeyPath
from causalnet.errors import CausalNetError, ClaimFileError
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["alignment_of", "errors_at", "examples_of", "model_of"]


@contextmanager
def errors_at(file: ClaimFile, path: KeyPath) -> Iterator[None]:
    """Say of errors inside at which key of a claim file they are.

    Args:
        file: The claim file.
        path: The key, such as `("claims", 0, "hypothesis")`.

    Raises:
        ClaimFileError: An error inside, with its place where it had none.
    """
    try:
        yield
    except CausalNetError as error:
        if isinstance(error, ClaimFileError) and error.line is not None:
            raise
        raise place_error(file, path, error.came, error.possible, error.write) from error


def model_of(file: ClaimFile, spec: HypothesisSpec, *, allow_code: bool) -> HighLevelModel:
    """Return the high-level model of a hypothesis.

    Args:
        file: The claim file, beside which Python files are sought.
        spec: The hypothesis.
        allow_code: Whether Python code of claim files may be run.

    Raises:
        ClaimFileError: Code where none is allowed, of another hash, or that gives no model.
        FormatError, GraphError: Expressions that are none, or variables that do not fit together.
    """
    if spec.python is None:
        return HighLevelModel.from_mapping(
            {
                "name": spec.name,
                "inputs": list(spec.inputs),
                "variables": dict(spec.variables),
                "output": spec.output,
            }
        )
    path, _, function = spec.python.partition(":")
    beside = Path(file.source.path).parent / path if file.source else Path(path)
    if not allow_code:
        raise ClaimFileError(
            f"The hypothesis {spec.name!r} is Python code of {path}.",
            "Code that a claim file names is run only where that is allowed.",
            "Read it, and write --allow-code (in Python: allow_code=True).",
        )
    if not beside.is_file():
        raise ClaimFileError(
            f"There is no file {path!r} for the hypothesis {spec.name!r}.",
            "It lies beside the claim file.",
            "Write for example 'python: hypothesis.py:model'.",
        )
    found = hashlib.sha256(beside.read_bytes()).hexdigest()
    if found != spec.sha256:
        raise ClaimFileError(
            f"{path} has the hash {found}.",
            f"The hypothesis {spec.name!r} is about the code with the hash {spec.sha256}.",
            "Restore that code, or read the new one and write its hash.",
        )
    return _from_code(beside, function, spec)


def _from_code(path: Path, function: str, spec: HypothesisSpec) -> HighLevelModel:
    loader = importlib.util.spec_from_file_location(f"hypothesis_{path.stem}", path)
    module = None if loader is None else importlib.util.module_from_spec(loader)
    if loader is None or loader.loader is None or module is None:
        raise ClaimFileError(
            f"{path.name} is no Python file.",
            "A hypothesis is a function in a .py file.",
            "Write for example 'python: hypothesis.py:model'.",
        )
    try:
        loader.loader.exec_module(module)
        model = getattr(module, function or "model", None)
        made = model() if callable(model) and not isinstance(model, HighLevelModel) else model
    except CausalNetError:
        raise
    except Exception as error:  # the author's code: whatever it raises is bad input
        raise ClaimFileError(
            f"{path.name} fails: {type(error).__name__}: {error}.",
            "A hypothesis is Python code that runs by itself and needs no network.",
            f"Mend it; `python {path.name}` shows where it fails.",
        ) from error
    if not isinstance(made, HighLevelModel):
        raise ClaimFileError(
            f"{path.name} has no {function or 'model'!r} that gives a high-level model.",
            "It is a HighLevelModel, or a function without arguments that returns one.",
            "Write for example 'def model(): return HighLevelModel.of(…)'.",
        )
    return made


def alignment_of(spec: HypothesisSpec) -> Alignment:
    """Return where the hypothesis says its variables are."""
    return aligned(dict(spec.alignment), at=spec.positions)


def examples_of(claim: AbstractionClaim, net: LiftedNetwork, pairs: PromptPairs) -> Examples:
    """Return the base prompts with the inputs of all hypotheses read off them.

    Raises:
        ParameterError, PromptError: A reading that is none or does not fit the prompts.
    """
    read = {name: how for spec in claim.hypotheses for name, how in spec.inputs.items()}
    return Examples.from_pairs(pairs, net.model.tokenizer, read, answer=claim.answer)
