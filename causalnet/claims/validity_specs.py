"""Claim specifications of the project mechanistic-validity, read as claims.

Such a JSON file names the steps of a mechanism with their heads, what ablating a step should do,
and negative controls.  It names no prompts, ablation, reference set or sample: those stand in the
claim file that names it with `circuit: spec.json` and `claims: spec.json`.

| there | here |
|---|---|
| `steps[].maps_to_heads` | heads; the circuit is all of them |
| ablate a step, `decrease` of the output, threshold t | `necessary`, at least t |
| ablate a step, `increase` of the output | `necessary`, at most 0 |
| ablate a step, output `invariant`, threshold t | `necessary`, at most t, else 0.1 |
| anything else, such as effects on another step | left out, and said |
"""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from causalnet.claims.source_text import Place, SourceText
from causalnet.errors import ClaimFileError

__all__ = ["circuit_in", "claims_in", "is_validity_spec", "read_validity_spec"]

INVARIANT = 0.1
"""What an invariant output may change by where a specification gives no threshold."""


def is_validity_spec(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether plain values are such a specification."""
    return isinstance(value, dict) and {"task_id", "steps", "predictions"} <= value.keys()


def read_validity_spec(source: SourceText) -> dict[str, Any]:
    """Return a specification as plain values.

    Raises:
        ClaimFileError: Text that is not JSON, or JSON that is no specification.
    """
    try:
        value = json.loads(source.text)
    except ValueError as error:
        raise source.error(
            Place(0, 0),
            f"The file is not JSON: {error}.",
            "A specification of mechanistic-validity is a JSON file.",
            "Write its name, or a list of claims.",
        ) from error
    if not is_validity_spec(value):
        raise source.error(
            Place(0, 0),
            "The file is no specification of mechanistic-validity.",
            "Those have 'task_id', 'steps' and 'predictions'.",
            "Write the name of such a file, or a list of claims.",
        )
    return value


def circuit_in(spec: Mapping[str, Any], source: SourceText) -> list[str]:
    """Return the heads of all steps.

    Raises:
        ClaimFileError: A step whose heads are no pairs of layer and head, or no head at all.
    """
    heads = dict.fromkeys(head for step in _steps(spec, source).values() for head in step)
    if not heads:
        raise source.error(
            Place(0, 0),
            "No step names a head.",
            "The circuit is made of the heads of all steps.",
            "Fill 'maps_to_heads' of at least one step.",
        )
    return list(heads)


def claims_in(
    spec: Mapping[str, Any], source: SourceText
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the claims that a specification makes, and what cannot be said here, with the reason.

    Raises:
        ClaimFileError: A specification in which nothing can be claimed, or that is malformed.
    """
    steps = _steps(spec, source)
    claims: list[dict[str, Any]] = []
    left_out: list[str] = []
    for entry in [*spec.get("predictions", []), *spec.get("negative_controls", [])]:
        name = str(entry.get("name", f"prediction {len(claims) + 1}"))
        made = _claim(entry, steps)
        if isinstance(made, str):
            left_out.append(f"{name}: {made}")
            continue
        claims.append({"id": _id(name), "statement": str(entry.get("claim") or name), **made})
    if not claims:
        raise source.error(
            Place(0, 0),
            "Nothing in the specification can be claimed here.",
            f"What was left out: {'; '.join(left_out) or 'it predicts nothing'}.",
            "Write the claims into the claim file.",
        )
    return claims, tuple(left_out)


def _steps(spec: Mapping[str, Any], source: SourceText) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in spec["steps"]:
        heads = step.get("maps_to_heads") or []
        for pair in heads:
            is_pair = isinstance(pair, list) and len(pair) == 2
            if not (is_pair and all(type(one) is int and one >= 0 for one in pair)):
                raise _malformed(source, step.get("name"), pair)
        found[str(step.get("name"))] = [f"L{layer}.H{head}" for layer, head in heads]
    return found


def _malformed(source: SourceText, step: object, pair: object) -> ClaimFileError:
    return source.error(
        Place(0, 0),
        f"The step {step!r} maps to {pair!r}.",
        "Heads are pairs of layer and head, counted from 0.",
        "Write for example [[9, 9], [9, 6]].",
    )


def _claim(entry: Mapping[str, Any], steps: Mapping[str, list[str]]) -> dict[str, Any] | str:
    """Return a claim, or why there is none."""
    target, measured = entry.get("intervention_target"), entry.get("measurement_target")
    heads = steps.get(str(target))
    if entry.get("intervention") not in ("ablate", "knockout"):
        return f"the intervention {entry.get('intervention')!r} is no ablation"
    if measured != "output":
        return f"it is about {measured!r}, and claims are about the model's output"
    if not heads:
        return f"the step {target!r} names no head"
    threshold = entry.get("expected_threshold")
    match entry.get("expected_direction"):
        case "decrease":
            bound = {"at_least": float(threshold or 0.0)}
        case "increase":
            bound = {"at_most": 0.0}
        case "invariant":
            bound = {"at_most": INVARIANT if threshold is None else float(threshold)}
        case other:
            return f"the direction {other!r} is none of decrease, increase, invariant"
    return {"kind": "necessary", "circuit": heads, **bound}


def _id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:64].lstrip("._-") or "prediction"
