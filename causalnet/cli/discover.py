"""`causalnet discover`: from a model and a task to a circuit, its claims, its picture."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalnet.cli.status import Status
from causalnet.cli.terminal import ProgressLine, Terminal
from causalnet.errors import CausalNetError, ParameterError

if TYPE_CHECKING:
    from causalnet.cli.discover_found import Found
    from causalnet.cli.discover_prompts import SearchPrompts
    from causalnet.discovery.question import Question
    from causalnet.discovery.scores import Scores
    from causalnet.interventions import Ablation, ReadOut
    from causalnet.lift import LiftedNetwork

__all__ = ["Search", "run_discover"]

JOURNAL = "search.journal"
LEFT = "search-{}.scores"  # what a method without a journal found, until a circuit is made of it
CLAIMS = "claims.yaml"
ABLATIONS = (
    "counterfactual",
    "zero",
    "mean",
    "mean_per_position",
    "resample",
    "noise",
    "optimal",
)
GRAINS = ("nodes", "heads", "edges", "receivers", "positions")
DIRECTIONS = ("noising", "denoising")
CONNECT = ("no", "prune", "greedy")
FEW = 1_000  # units that are patched one by one where no method is asked for
KNOWN = "known:"


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for.

    Attributes:
        model: As `causalnet.load` takes it.
        task: A task's name or a file of pairs; for a known circuit its own prompts.
        method: A key of `causalnet.discovery.methods.METHODS`, or None for one that fits.
        settings: Options of the method, as `NAME=VALUE`.
        graph: An attribution graph whose circuit is tested in place of a search.
        prune: Whether that graph is pruned by influence first.
        ablation: What is put in place of what is removed.
        grain: What circuits are made of.
        size: How many units; None where a threshold or nothing is given.
        threshold: The score above which units are kept.
        connect: Whether edges have to hang together; None for what fits.
        options: Options of the task, as `NAME=VALUE`.
        prompts: How many find the circuit.
        seed: Seed of the prompts and of everything else that is drawn.
        readout: The outcome.
        direction: Which prompts are run.
        at: Positions, as `all` or `S2,end`.
        reference: How many prompts means are taken over, or constants learned on.
        output: Where files are written.
        resume: A journal to go on from, in place of the one in the folder.
        force: Whether to go on without a behaviour, and to write over files.
        device: Where the model runs.
        dtype: In which number format.
        readout_at: Where the outcome is read: `end`, `all` (the mean over tokens), or a name.
    """

    model: str
    task: str
    method: str | None = None
    settings: Sequence[str] = ()
    graph: Path | None = None
    prune: bool = False
    ablation: str = "counterfactual"
    grain: str = "nodes"
    size: int | None = None
    threshold: float | None = None
    connect: str | None = None
    options: Sequence[str] = ()
    prompts: int = 32
    seed: int = 0
    readout: str = "logit_difference"
    direction: str = "noising"
    at: str = "all"
    reference: int = 64
    output: Path = Path("causalnet-circuit")
    resume: Path | None = None
    force: bool = False
    device: str | None = None
    dtype: str | None = None
    readout_at: str = "end"


def run_discover(asked: Search, terminal: Terminal) -> int:
    """Find a circuit, test it on other prompts, write what was found, return the exit status."""
    from causalnet.cli.discover_text import found_json, found_lines

    task = checked(asked)
    try:
        found, written = _searched(asked, task, terminal)
    except KeyboardInterrupt:
        terminal.note(_left(asked))
        raise
    for text in (*found_lines(found), "", *(f" wrote    {path}" for path in written)):
        terminal.say(text)
    if asked.output / CLAIMS in written:
        terminal.say(f" next     causalnet verify {asked.output / CLAIMS}")
    terminal.result(
        {
            "exit_status": int(Status.SUPPORTED),
            **found_json(found),
            "files": [str(path) for path in written],
            "cpu_seconds": time.process_time(),
        }
    )
    return Status.SUPPORTED


def _left(asked: Search) -> str:
    """Say what an interrupted search leaves."""
    journal = asked.resume or asked.output / JOURNAL
    for path in (journal, *asked.output.glob(LEFT.format("*"))):
        if path.is_file():
            return f"causalnet: {str(path)!r} keeps what was found; the same command goes on there."
    return "causalnet: Nothing was written; the same command begins anew."


def _searched(asked: Search, task: str, terminal: Terminal) -> "tuple[Found, list[Path]]":
    from causalnet.cli.discover_circuit import chosen_circuit
    from causalnet.cli.discover_found import Found
    from causalnet.cli.discover_writing import write_found
    from causalnet.discovery.behaviour import check_behaviour

    with terminal.progress() as line:
        question, prompts = _asked(asked, task, line)
        line("check the behaviour")
        behaviour = check_behaviour(question, asked.force)
        scores, kept = (None, None) if asked.graph else _scored(asked, question, line)
        circuit, notes = chosen_circuit(asked, question, scores)
        line("test on other prompts")
        found = Found.of(
            circuit, scores, prompts, behaviour, (*prompts.notes, *notes), task, asked.seed
        )
        line("write")
        written, unwritten = write_found(found, asked.output, terminal)
    # Only this search's own: another may have left what it goes on from in the same folder.
    if kept is not None and kept.parent.resolve() == asked.output.resolve():
        kept.unlink(missing_ok=True)
    return replace(found, notes=(*found.notes, *unwritten)), written


def checked(asked: Search) -> str:
    """Refuse what cannot be, before anything is loaded; return the task.

    Raises:
        ParameterError: Options that are none, or that exclude each other.
        CausalNetError: A folder that cannot be written to, or holds another circuit.
    """
    from causalnet.discovery.methods import method_of
    from causalnet.interventions import READOUTS

    _one_of("--ablation", asked.ablation, ABLATIONS)
    _one_of("--grain", asked.grain, GRAINS)
    _one_of("--readout", asked.readout, list(READOUTS))
    _one_of("--direction", asked.direction, DIRECTIONS)
    if asked.connect is not None:
        _one_of("--connect", asked.connect, CONNECT)
    if asked.method is not None:
        method_of(asked.method)
    if asked.size is not None and asked.threshold is not None:
        raise ParameterError(
            f"Both --size {asked.size} and --threshold {asked.threshold:g}.",
            "A circuit is of a size, or of all units above a threshold.",
            "Give one of them.",
        )
    if asked.graph is not None and (asked.method or asked.size or asked.threshold is not None):
        raise ParameterError(
            "--from beside --method, --size or --threshold.",
            "The circuit of an attribution graph is tested as it is; nothing is searched.",
            "Leave the others out; --prune makes the graph smaller.",
        )
    if asked.resume is not None and not asked.resume.is_file():
        raise ParameterError(
            f"There is no journal {str(asked.resume)!r}.",
            "A search that is interrupted leaves one in its output folder.",
            "Leave --resume out to begin anew.",
        )
    _check_output(asked)
    return _task(asked)


def _task(asked: Search) -> str:
    if asked.task:
        return asked.task
    if asked.model.startswith(KNOWN):
        return asked.model
    from causalnet.tasks import TASKS

    raise ParameterError(
        f"No task for the model {asked.model!r}.",
        f"There are {', '.join(TASKS)}; or a file of pairs (.jsonl, .csv).",
        f"Write causalnet discover {asked.model} ioi.",
    )


def _one_of(option: str, given: str, known: Sequence[str]) -> None:
    if given in known:
        return
    from causalnet.graphs import nearest

    close = nearest(given, known)
    raise ParameterError(
        f"{option} {given}.",
        f"There are {', '.join(known)}.",
        f"Did you mean {close[0]!r}?" if close else f"Write {option} {known[0]}.",
    )


def _check_output(asked: Search) -> None:
    """Refuse a folder that cannot be written to, or that holds the claims of another search."""
    folder = asked.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".causalnet-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CausalNetError(
            f"The folder {str(folder)!r} cannot be written to: {error.strerror}.",
            "A circuit is several files in a folder.",
            "Name another with --output.",
        ) from error
    if (folder / CLAIMS).exists() and not asked.force:
        raise CausalNetError(
            f"{str(folder / CLAIMS)!r} is there already.",
            "Claims that were found, and may have been edited, are not written over.",
            "Name another folder with --output, or write --force.",
        )


def _asked(asked: Search, task: str, line: ProgressLine) -> "tuple[Question, SearchPrompts]":
    """Load and lift the model, make the prompts, and put the question together."""
    from causalnet.cli.discover_prompts import options_of, prompts_for
    from causalnet.discovery.question import Question
    from causalnet.interventions import READOUTS
    from causalnet.lift import lift
    from causalnet.models import load

    options = options_of("--option", asked.options)
    line("load the model")
    source = str(Path(asked.model).resolve()) if Path(asked.model).exists() else asked.model
    model = load(source, device=asked.device, dtype=asked.dtype)
    line("lift the model")
    net = lift(model)
    at = tuple(part.strip() for part in asked.at.split(",")) if asked.at != "all" else ()
    line("make prompts")
    prompts = prompts_for(
        task,
        model.tokenizer,
        n=asked.prompts,
        seed=asked.seed,
        reference=asked.reference,
        options=options,
        must_align=asked.ablation == "counterfactual" and not at and asked.grain != "positions",
        known=asked.model if asked.model.startswith(KNOWN) else "",
    )
    readout: ReadOut = replace(READOUTS[asked.readout], at=asked.readout_at)
    ablation, reference = _ablation(asked, net, prompts)
    if asked.ablation == "optimal":
        line(f"learn constants on {len(prompts.reference)} prompts")
    question = Question(
        net,
        prompts.found,
        ablation,
        readout,
        asked.grain,
        asked.direction,  # type: ignore[arg-type]  # _one_of
        at,
        reference,
        asked.seed,
    )
    total = len(question.units)
    if asked.size is not None and not 1 <= asked.size <= total:
        raise ParameterError(
            f"--size {asked.size:,} at the grain {asked.grain}.",
            f"The graph has {total:,}, and a circuit has one at least.",
            f"Write a size from 1 to {total}.",
        )
    return question, prompts


def _ablation(
    asked: Search, net: "LiftedNetwork", prompts: "SearchPrompts"
) -> "tuple[Ablation, Any]":
    """Return the ablation, and its reference prompts where it has some."""
    from causalnet import effects

    match asked.ablation:
        case "counterfactual":
            return effects.counterfactual(), None
        case "zero":
            return effects.zero(), None
        case "mean":
            return effects.mean(prompts.reference.source), prompts.reference.source
        case "mean_per_position":
            return effects.mean_per_position(prompts.reference.source), prompts.reference.source
        case "resample":
            return effects.resample(prompts.reference.source), prompts.reference.source
        case "optimal":
            return effects.optimal(prompts.reference), prompts.reference
        case _:
            return effects.noise(net, seed=asked.seed), None


def _scored(asked: Search, question: "Question", line: ProgressLine) -> "tuple[Scores, Path]":
    """Score the units, or read them where an earlier run of this search left them.

    Returns:
        The scores, and the file that keeps them until a circuit is made of them.
    """
    from causalnet.cli.discover_prompts import options_of
    from causalnet.discovery.journal import Journal
    from causalnet.discovery.methods import METHODS, discover
    from causalnet.discovery.saving import open_scores, save_scores

    method = asked.method or _fitting(question)
    settings = options_of("--set", asked.settings)
    if asked.size is not None and "size" in METHODS[method].options:
        settings.setdefault("size", asked.size)

    def tell(done: int, total: int) -> None:
        line(f"score {question.grain} by {method}", done, total)

    tell(0, 0)
    if METHODS[method].keeps_journal:
        journal = Journal(asked.resume or asked.output / JOURNAL)
        scores = discover(question, method, progress=tell, journal=journal, **settings)
        return scores, Path(journal.path)
    if asked.resume is not None:
        raise ParameterError(
            f"--resume with the method {method!r}.",
            "It runs in one go and keeps no journal.",
            "Leave --resume out.",
        )
    told = f"{question.digest()} {method} {json.dumps(settings, sort_keys=True)}"
    left = asked.output / LEFT.format(hashlib.sha256(told.encode()).hexdigest()[:12])
    if left.is_file():
        return open_scores(left, question), left
    scores = discover(question, method, progress=tell, **settings)
    save_scores(scores, left)
    return scores, left


def _fitting(question: "Question") -> str:
    """Return the method for a question of which none was named: exact where units are few."""
    if len(question.units) <= FEW or question.grain == "positions":
        return "exact_patching"
    return "eap_ig_inputs" if question.ablation.kind == "counterfactual" else "eap_ig_activations"
