"""Scores and circuits in files: whole and exact in an archive, for people and programs as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from causalnet.discovery.circuits import Circuit, circuit_of
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Cost, Scores
from causalnet.errors import FormatError, ParameterError
from causalnet.estimators.methods import Method
from causalnet.store import Archive, open_archive, save_archive

__all__ = ["circuit_json", "open_circuit", "open_scores", "save_scores", "scores_json"]

KIND = "discovery scores"


def save_scores(scores: Scores, path: str | Path, circuit: Circuit | None = None) -> Path:
    """Write scores, and a circuit of them, to one file: every bit, and what they mean.

    Args:
        scores: The scores.
        path: The file, in a folder that is there.
        circuit: The circuit that was made of them.

    Raises:
        FormatError: The file cannot be written.
    """
    content = {
        "question": scores.question.to_json(),
        "method": asdict(scores.method),
        "sign": scores.sign,
        "unit": scores.unit,
        "settings": dict(scores.settings),
        "cost": asdict(scores.cost),
        "notes": list(scores.notes),
        "circuit": None if circuit is None else _described(circuit),
    }
    arrays = {"values": scores.values, "total": np.array([scores.total])}
    if scores.per_prompt is not None:
        arrays["per_prompt"] = scores.per_prompt
    return save_archive(Archive(KIND, content, arrays), path)


def open_scores(path: str | Path, question: Question) -> Scores:
    """Read scores of a question back, bit by bit.

    Args:
        path: The file.
        question: What was asked: the same network, prompts and conventions.

    Raises:
        FormatError: Not such a file, or an altered one.
        ParameterError: Scores of another question.
    """
    archive = _opened(path, question)
    content, arrays = archive.content, archive.arrays
    told = content["method"]
    return Scores(
        question,
        Method(
            **{
                **told,
                "fails": tuple(told["fails"]),
                "measured": tuple(told.get("measured", ())),
            }
        ),
        arrays["values"],
        arrays.get("per_prompt"),
        content["sign"],
        content["unit"],
        float(arrays["total"][0]),
        content["settings"],
        Cost(**content["cost"]),
        tuple(content["notes"]),
    )


def open_circuit(path: str | Path, question: Question) -> Circuit:
    """Read the circuit that was saved with scores of a question.

    Raises:
        FormatError: Not such a file, an altered one, or one without a circuit.
        ParameterError: A circuit of another question.
    """
    told = _opened(path, question).content["circuit"]
    if told is None:
        raise FormatError(
            f"{str(path)!r} holds scores without a circuit.",
            "A circuit is saved with save_scores(scores, path, circuit).",
            "Make one with circuit_of_size(open_scores(...), size).",
        )
    found = circuit_of(question, told["names"])
    return Circuit(question, found.kept, told["method"], told["rule"], told["before"])


def _opened(path: str | Path, question: Question) -> Archive:
    archive = open_archive(path)
    if archive.kind != KIND:
        raise FormatError(
            f"{str(path)!r} holds {archive.kind!r}.",
            f"Here {KIND!r} are read.",
            "Give a file that save_scores(...) wrote.",
        )
    asked, told = question.to_json(), archive.content["question"]
    other = sorted(name for name in asked if asked[name] != told.get(name))
    if other:
        raise ParameterError(
            f"{str(path)!r} holds scores of another question: {_differs(told, asked, other)}.",
            "Scores are read back with the question that they answer.",
            "Build the same question: model, prompts, ablation, read-out, grain, seed.",
        )
    return archive


def _differs(told: Mapping[str, object], asked: Mapping[str, object], other: list[str]) -> str:
    return "; ".join(
        f"{name} {str(told.get(name))[:40]}, not {str(asked[name])[:40]}" for name in other
    )


def _described(circuit: Circuit) -> dict[str, object]:
    return {
        "names": list(circuit.names),
        "edges": list(circuit.edges),
        "method": circuit.method,
        "rule": circuit.rule,
        "before": circuit.before,
        "size": len(circuit),
        "of": len(circuit.question.units),
    }


def scores_json(scores: Scores) -> dict[str, object]:
    """Return scores as JSON values, units by name, the largest first."""
    names = scores.question.units.names
    return {
        "question": scores.question.to_json(),
        "conventions": scores.question.conventions(
            _estimand(scores.method), scores.method.name, scores.method.error
        ).to_json(),
        "approximates": scores.method.approximates,
        "method": asdict(scores.method),
        "settings": dict(scores.settings),
        "sign": scores.sign,
        "unit": scores.unit,
        "total": scores.total,
        "cost": asdict(scores.cost),
        "notes": list(scores.notes),
        "scores": {names[number]: float(scores.values[number]) for number in scores.order()},
    }


def _estimand(method: Method) -> str:
    """Return what scores are about: what they stand in for, or what they are where they do not."""
    return method.formula if method.approximates.startswith("nothing") else method.approximates


def circuit_json(circuit: Circuit) -> dict[str, object]:
    """Return a circuit as JSON values."""
    return _described(circuit)
