"""What a call depends on, as digests: the keys under which a ledger keeps its answer."""

from collections.abc import Sequence
from typing import Any

from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Wanted
from causalnet.interventions import Read, leaves_of
from causalnet.lift import LiftedNetwork
from causalnet.store import digest_of
from causalnet.tasks import PromptPairs

__all__ = ["batch_digest", "described_model", "model_digest", "read_digest"]


def read_digest(
    scorer: CircuitScorer | EdgeCircuitScorer, wanted: Sequence[Wanted], batch_size: int
) -> str:
    """Return a digest of a reading: parts, circuits, conventions, seed, prompts in a forward.

    Args:
        scorer: The conventions.
        wanted: What is read, in order.
        batch_size: Prompts in a forward, on which the last bits of sums depend.
    """
    reference = scorer.reference
    ids = None
    if reference is not None:
        ids = reference.base.ids if isinstance(reference, PromptPairs) else reference.ids
    return digest_of(
        {
            "call": "read/v1",
            "level": "edges" if isinstance(scorer, EdgeCircuitScorer) else "nodes",
            "readout": scorer.readout.digest.hex(),
            "ablation": scorer.ablation.to_json(),
            "universe": list(map(str, scorer.universe)),
            "at": list(map(str, scorer.at)),
            "direction": scorer.direction,
            "reference": digest_of(ids),
            "seed": scorer.seed,
            "executor": scorer.executor if isinstance(scorer, CircuitScorer) else "masked runs",
            "batch_size": batch_size,
            "wanted": list(map(_wanted, wanted)),
        }
    )


def _wanted(one: Wanted) -> list[object]:
    if isinstance(one, tuple):
        readout = one[2].digest.hex() if len(one) == 3 else None
        return [one[0].value, list(map(str, one[1])), readout]
    leaves = leaves_of(one)
    readouts = [leaf.readout.digest.hex() for leaf in leaves if isinstance(leaf, Read)]
    return ["scalar", str(one), readouts]


def batch_digest(pairs: PromptPairs) -> str:
    """Return a digest of what a model reads and is asked, named positions, and row numbers.

    Rows keep their numbers in every subset, and their noise with them.
    """
    places = [
        {name: list(rows) for name, rows in side.positions.items()}
        for side in (pairs.base, pairs.source)
    ]
    return digest_of([pairs.digest(), places, pairs.record.rows])


def described_model(net: LiftedNetwork) -> dict[str, Any]:
    """Return what the bits of a model's numbers depend on, and where it came from, as JSON."""
    plain = net.model.provenance.to_json()
    kept = ("source", "kind", "weights_sha256", "dtype", "device", "attention", "versions")
    return {**{name: plain[name] for name in kept}, "graph": net.graph.fingerprint()}


def model_digest(net: LiftedNetwork) -> str:
    """Return a digest of a model and of how it computes.

    Weights, number type, device, attention, libraries and graph count; the place where the
    weights lie does not, nor does the number of threads.
    """
    described = described_model(net)
    counted = {name: value for name, value in described.items() if name not in ("source", "kind")}
    return digest_of(counted)
