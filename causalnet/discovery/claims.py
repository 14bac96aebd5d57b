"""From a circuit that was found to a claim file about it, to be tested on other prompts."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from causalnet.claims.reading import read_claims
from causalnet.claims.source_text import SourceText
from causalnet.claims.task_spec import TaskSpec
from causalnet.discovery.circuits import Circuit
from causalnet.discovery.claim_conventions import (
    circuit_entries,
    claimed_ablation,
    claimed_readout,
    claimed_units,
    is_of_edges,
    remarks,
)
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.interventions import READOUTS, AblationKind
from causalnet.tasks import TaskRecord

__all__ = ["ClaimPrompts", "circuit_entries", "claim_text", "task_of"]

NECESSARY = 0.5  # the share of the behaviour that has to go with the circuit
PRESENT = 0.5  # the share of the behaviour on the finding prompts that has to be there on others
WIDTH = 96


@dataclass(frozen=True, slots=True)
class ClaimPrompts:
    """Which prompts a claim file names.

    Attributes:
        found: Those that found the circuit; None for a circuit that was given.
        test: Others, which test it.
        reference: Those of means and resampling.
        side: Which prompts of the reference pairs: `source` or `base`.
    """

    found: TaskSpec | None
    test: TaskSpec
    reference: TaskSpec | None = None
    side: str = "source"


def task_of(record: TaskRecord, seed: int | None = None, n: int | None = None) -> TaskSpec:
    """Return how a claim file names the prompts of a record.

    Args:
        record: Where pairs of a generator come from.
        seed: Another seed.
        n: Another number.

    Raises:
        ParameterError: Pairs that no generator draws again.
    """
    if record.seed is None or record.rows is not None:
        raise ParameterError(
            f"The pairs {record.name!r} were given, or are some of those that were drawn.",
            "A claim file names a generator with n and seed, or a file.",
            "Keep them with pairs.to_jsonl(path) and write TaskSpec(file=path).",
        )
    options: dict[str, object] = {name: _plain(value) for name, value in record.options.items()}
    wanted: dict[str, object] = {
        "name": record.name,
        "n": record.n if n is None else n,
        "seed": record.seed if seed is None else seed,
    }
    for name in ("corruption", "templates"):
        if name in options:
            wanted[name] = options.pop(name)
    return TaskSpec.model_validate(wanted | ({"options": options} if options else {}))


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def claim_text(
    circuit: Circuit, prompts: ClaimPrompts, *, at_least: float = 0.8, behaviour: float = 0.0
) -> str:
    """Return a claim file that says what a circuit does, in YAML.

    Its thresholds are set before anything is tested: the circuit keeps `at_least` of the behaviour,
    half of it goes without the circuit, and random circuits of its size are further off.

    Args:
        circuit: The circuit.
        prompts: What it was found on, what tests it, what means are taken over.
        at_least: The share that is claimed to be kept.
        behaviour: The mean read-out on the prompts that found it, in the read-out's unit; half of
            it is claimed on others, of a loss at most twice as much.  0 leaves that claim out.

    Raises:
        ClaimFileError: A model that was not loaded from anywhere.
        ParameterError: A circuit of everything; an ablation, a position or a read-out that no claim
            file can name.
    """
    words = claimed_units(circuit)
    if len(circuit) == len(circuit.question.units):
        raise ParameterError(
            f"The circuit is all {words}.",
            "With nothing left to ablate every claim about it is true.",
            "Take fewer.",
        )
    text = "\n".join(_lines(circuit, prompts, at_least, behaviour)) + "\n"
    read_claims(SourceText("claims.yaml", text))
    return text


def _lines(
    circuit: Circuit, prompts: ClaimPrompts, at_least: float, behaviour: float
) -> Iterator[str]:
    asked = circuit.question
    record = asked.pairs.record
    yield f"# A circuit of {len(circuit):,} of {len(asked.units):,} {asked.grain},"
    yield f"# found by {circuit.method}: {circuit.rule}."
    yield from (f"# {each}" for each in remarks(circuit))
    yield "# The thresholds below were set before any prompt that tests them was looked at."
    yield "# `causalnet verify` tests these claims; `causalnet schema` explains every key."
    yield "schema: 1"
    yield f"title: {_scalar(_title(circuit, record))}"
    yield ""
    yield from _block("model", _model(circuit))
    yield from _block("prompts", {"bos": record.bos, "chat_template": record.chat_template})
    yield "# The prompts that test the claims; the circuit was found on others."
    yield from _block("task", _task(prompts.test))
    yield f"readout: {claimed_readout(circuit)}"
    yield ""
    yield from _listed("circuit", circuit_entries(circuit))
    yield ""
    yield from _block("found", _found(circuit, prompts))
    reference = None if prompts.reference is None else _task(prompts.reference)
    yield from _block("ablation", claimed_ablation(circuit, reference, prompts.side))
    yield f"direction: {asked.direction}"
    yield "alpha: 0.05"
    yield f"batch: {min(asked.batch_size, 16)}"
    yield ""
    yield "claims:"
    yield from _claims(circuit, at_least, behaviour)


def _title(circuit: Circuit, record: TaskRecord) -> str:
    model = circuit.question.net.model.provenance.source.rsplit("/", 1)[-1]
    where = record.name if record.name == model else f"{record.name} in {model}"
    return f"{where}: {len(circuit)} {circuit.question.grain} by {circuit.method}"


def _model(circuit: Circuit) -> dict[str, object]:
    known = circuit.question.net.model.provenance
    return {
        "source": known.source,
        "weights_sha256": known.weights_sha256,
        "dtype": str(circuit.question.net.model.dtype).removeprefix("torch."),
        "attention": known.attention,
    }


def _task(spec: TaskSpec) -> dict[str, object]:
    return spec.model_dump(exclude_none=True, exclude_defaults=True)


def _found(circuit: Circuit, prompts: ClaimPrompts) -> dict[str, object]:
    asked = circuit.question
    if prompts.found is None:
        return {"method": "given", "note": circuit.rule}
    told = (
        f"{circuit.method} of {asked.grain}: {circuit.rule}; scored by {asked.readout.described}, "
        f"ablation {asked.ablation.kind.value}, {asked.direction}"
    )
    return {"method": told, "task": _task(prompts.found)}


def _claims(circuit: Circuit, at_least: float, behaviour: float) -> Iterator[str]:
    words, grain = claimed_units(circuit), circuit.question.grain
    readout = claimed_readout(circuit)
    if behaviour > 0 and readout != "kl":
        yield from _exists(readout, behaviour)
    places = ", ".join(map(str, circuit.question.units.places))
    where = f" at {places}" * (grain is CircuitGrain.POSITIONS)
    yield from _claim(
        "circuit-suffices",
        "faithful",
        f"With everything else{where} ablated, these {words} keep at least {at_least:.0%} of it.",
        at_least=at_least,
    )
    yield from _claim(
        "circuit-is-needed",
        "necessary",
        f"Without these {words}, at least {NECESSARY:.0%} of it goes.",
        at_least=NECESSARY,
    )
    # Optimal constants would be learned for every random circuit.
    if not is_of_edges(circuit) and circuit.question.ablation.kind is not AblationKind.OPTIMAL:
        yield from _claim(
            "better-than-chance",
            "better_than_random",
            "At least 80 % of random circuits with as many in each layer are further off.",
            fraction=0.8,
            max_circuits=60,
            prompts=8,
        )


def _exists(readout: str, behaviour: float) -> Iterator[str]:
    """Claim that the behaviour is there: half of it, or, of a loss, at most twice as much."""
    is_loss = readout == "loss"
    bound = float(f"{behaviour / PRESENT if is_loss else PRESENT * behaviour:.3g}")
    words = "at most" if is_loss else "at least"
    unit = READOUTS[readout].unit
    yield from _claim(
        "behaviour",
        "exists",
        f"The behaviour is there: a mean {readout.replace('_', ' ')} of {words} {bound:g} {unit}.",
        **{words.replace(" ", "_"): bound},
    )


def _claim(identity: str, kind: str, statement: str, **numbers: float) -> Iterator[str]:
    yield f"  - id: {identity}"
    yield f"    kind: {kind}"
    yield f"    statement: {_scalar(statement)}"
    for name, value in numbers.items():
        yield f"    {name}: {value:g}"


def _block(name: str, content: Mapping[str, object], depth: int = 0) -> Iterator[str]:
    """Write a mapping of scalars, lists and mappings, one key a line."""
    indent = "  " * depth
    yield f"{indent}{name}:"
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _block(key, value, depth + 1)
        else:
            yield f"{indent}  {key}: {_scalar(value)}"
    if not depth:
        yield ""


def _listed(name: str, entries: Iterable[str]) -> Iterator[str]:
    """Write a list of names over several lines."""
    line = f"{name}: ["
    for entry in entries:
        word = f"{_scalar(entry)}, "
        if len(line) + len(word) > WIDTH:
            yield line.rstrip()
            line = "  "
        line += word
    yield f"{line.removesuffix(', ')}]"


def _scalar(value: object) -> str:
    """Write a scalar or a list as JSON, which YAML reads; plain names stay plain."""
    if isinstance(value, str) and value.replace("_", "a").replace(".", "a").isalnum():
        return value if not value.replace(".", "").isdigit() and "." != value else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)
