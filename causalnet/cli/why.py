"""`causalnet why`: why claims failed, searched for on a model."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from causalnet.claims import ClaimFile, ClaimResult, VerificationReport
from causalnet.claims.budget import Budget
from causalnet.claims.networks import load_network, network_key
from causalnet.claims.why_values import Explanation
from causalnet.cli.terminal import Terminal
from causalnet.cli.verify import follow
from causalnet.cli.why_runs import claim_file_of, read_reports
from causalnet.cli.why_text import explanation_lines
from causalnet.errors import ModelFileError, ParameterError
from causalnet.statistics import Verdict
from causalnet.store import Ledger

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["Why", "run_why"]


@dataclass(frozen=True, slots=True)
class Why:
    """What `causalnet why` was asked.

    Attributes:
        run: A report as JSON, a ledger, or LEDGER#ID.
        claim: The id of a claim; "" for all that are not SUPPORTED.
        budget: How many forward passes may be run for each claim, as text.
        prompts: On how many prompts outsiders and members are measured.
        device: Where the model runs.
        dtype: Number type, in place of the file's.
    """

    run: str
    claim: str = ""
    budget: str = "1000 forwards"
    prompts: int = 16
    device: str | None = None
    dtype: str | None = None

    def forwards(self) -> int:
        """Return how many forward passes may be run for each claim.

        Raises:
            ParameterError: A budget that is none, or one of time.
        """
        budget = Budget.of(self.budget)
        if budget.forwards is None or budget != Budget(forwards=budget.forwards):
            raise ParameterError(
                f"The budget {self.budget!r} is not one of forward passes.",
                "What is searched is chosen before it is run, so that it is the same on every "
                "machine: it is counted in forward passes.",
                "Write for example --budget '500 forwards'.",
            )
        return int(budget.forwards)


def run_why(asked: Why, terminal: Terminal) -> int:
    """Explain the claims of a run, print why, and return 0.

    Raises:
        CausalNetError: A run that cannot be read, a claim that it does not have, another model.
    """
    forwards = asked.forwards()
    found = read_reports(asked.run)
    chosen = [(report, _chosen(report, asked.claim)) for report in found.reports]
    if asked.claim and not any(results for _, results in chosen):
        known = ", ".join(one.claim.id for report in found.reports for one in report.results)
        raise ParameterError(
            f"The run has no claim {asked.claim!r}.",
            f"It has {known}.",
            "Write one of them, or none to explain all that are not SUPPORTED.",
        )
    explained = []
    with nullcontext() if found.ledger is None else Ledger(found.ledger) as ledger:
        networks: dict[object, LiftedNetwork] = {}
        for report, results in chosen:
            said = list(_explain(report, results, asked, forwards, networks, ledger, terminal))
            for line in explanation_lines(report, said):
                terminal.say(line)
            title = report.claim_file.title
            explained += [{"title": title, **one.to_json()} for one in said]
    terminal.result({"run": asked.run, "explanations": explained})
    return 0


def _chosen(report: VerificationReport, claim: str) -> tuple[ClaimResult, ...]:
    if claim:
        return tuple(one for one in report.results if one.claim.id == claim)
    supported = Verdict.SUPPORTED
    return tuple(one for one in report.results if one.decision.verdict is not supported)


def _explain(
    report: VerificationReport,
    results: tuple[ClaimResult, ...],
    asked: Why,
    forwards: int,
    networks: "dict[object, LiftedNetwork]",
    ledger: Ledger | None,
    terminal: Terminal,
) -> Iterator[Explanation]:
    """Load the model once, and search for each claim."""
    if not results:
        return
    from causalnet.claims.circuits import check_against_graph, universe
    from causalnet.claims.hearing import Hearing
    from causalnet.claims.why import explain_result

    file, changed = claim_file_of(report)
    if changed:
        terminal.note(f" note: {changed}")
    with terminal.progress() as line:
        tell = follow(line)
        key = network_key(file, asked.device, asked.dtype)
        if key not in networks:
            networks.clear()  # one model at a time is in memory
            networks[key] = load_network(file, asked.device, asked.dtype, tell)
        net = networks[key]
        _check_weights(report, net)
        check_against_graph(file, net.graph)
        known = tuple(universe(file, net.graph).values())
        chance = int(report.provenance["seed"])
        hearing = Hearing(file, net, known, chance, _seed(file, chance), tell, tuple, ledger)
        for result in results:
            yield explain_result(
                hearing, result, grid=report.grid, prompts=asked.prompts, budget=forwards
            )


def _seed(file: ClaimFile, chance: int) -> int | None:
    """Return the seed that replaced the file's; prompts of a file have none."""
    return None if file.task.file is not None else chance


def _check_weights(report: VerificationReport, net: "LiftedNetwork") -> None:
    wanted = report.provenance["model"]["weights_sha256"]
    found = net.model.provenance.weights_sha256
    if found != wanted:
        raise ModelFileError(
            f"The model's weights have the hash {found}.",
            f"The run was about weights with the hash {wanted}.",
            "Verify the claims again with this model, or fetch those weights.",
        )
