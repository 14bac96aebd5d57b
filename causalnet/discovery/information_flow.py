"""Information-flow routes: which edges what is written flows along, from one forward pass.

What a receiver reads at a token is a sum y of terms z_j: what embeddings and MLPs wrote there, and
what each head moved there from each token.  A term's importance is its share of
max(0, |y| - |y - z_j|), in the sum norm.  A route begins at the logits, where they are read, and
goes from a receiver to the senders of its important terms: to an MLP's input, or to a head's query
at that token and its key and value at the token it looked at.  An edge survives a threshold if some
route on which all importances are above it goes along the edge.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.discovery.exact import Progress, total_effect
from causalnet.discovery.gradients import check_edges
from causalnet.discovery.journal import Journal, log_of
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Cost, Scores
from causalnet.errors import ParameterError
from causalnet.estimators.methods import Method
from causalnet.execute.batch import make_batch
from causalnet.interventions.techniques.measured import on_trial
from causalnet.masked import EdgeRuns, Stage
from causalnet.masked.passes import Columns, Pass
from causalnet.masked.reads import PlainReads
from causalnet.masked.references import own_values

__all__ = ["INFORMATION_FLOW", "information_flow"]

INFORMATION_FLOW = Method(
    name="information-flow-routes/v1",
    formula="the largest threshold at which a route from the logits goes along the edge; an "
    "importance is max(0, |y| - |y - z|) over its sum, in the sum norm",
    gradient_at="none",
    approximates="nothing of an effect: how much of what is read a sender wrote, in one world",
    error="no contrast and no outcome: it says what flows, not what matters for the read-out",
    fails=(
        "questions about a contrast: what base and source share ranks as high as what differs",
        "inhibition: a term against the stream has the importance 0",
        "patterns: they are taken as they are, queries and keys follow the values",
    ),
    source="Ferrando and Voita 2024",
    sign="magnitude",
    measured=(on_trial("information_flow"),),
)


def information_flow(
    question: Question,
    tau: float = 0.0,
    *,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Score units by the largest threshold at which a route of information goes along them.

    One forward pass over the prompts that are run; the other prompts, the ablation and the outcome
    play no part, except that the route begins where the outcome is read.  Time grows with
    senders x stages x tokens squared; a threshold ends routes early.

    On trial with planted heads, 20 sets of 32 prompts, best ranked: power 61%, false finds 69%;
    misses conjunction of -0.78, cancelling of +1.00; takes backup, balanced, idle.

    Args:
        question: What is asked.
        tau: Edges with an importance up to this end a route, and score 0.
        progress: Told after every prompt.
        journal: Where prompts are kept.

    Raises:
        ParameterError: tau outside [0, 1), positions, the journal of another search.

    Source: Ferrando and Voita, "Information Flow Routes", 2024, sections 2.2 and 2.3, with terms
    for each head, and queries and keys followed beside values.
    """
    if isinstance(tau, bool) or not isinstance(tau, int | float) or not 0 <= tau < 1:
        raise ParameterError(f"tau={tau!r}.", "A share from 0 to below 1.", "Write tau=0.03.")
    check_edges(question, INFORMATION_FLOW)
    if question.positions:
        raise ParameterError(
            f"Routes at the positions {', '.join(map(str, question.positions))}.",
            "A route goes over all tokens that lie on it.",
            "Leave out at=.",
        )
    runs, log = question.runs, log_of(journal, question, INFORMATION_FLOW, {"tau": tau})
    found: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for row in range(len(runs)):
            if row < len(log.entries):
                survived = np.asarray(log.entries[row]["survived"], dtype=np.float64)
            else:
                survived = _survived(_Prompt.of(runs, row), tau)
                log.append({"prompt": row, "survived": survived})
            found.append(survived)
            if progress is not None:
                progress(row + 1, len(runs))
    per_prompt = _of_units(question, np.stack(found, 1))
    return Scores(
        question,
        INFORMATION_FLOW,
        per_prompt.mean(1),
        per_prompt,
        "survival",
        "",
        total_effect(question),
        settings={"tau": f"{tau:g}"},
        cost=Cost(1.0, 0, len(question.units)),
        notes=(
            "these routes know neither a contrast nor an outcome: test the circuit before it is "
            "believed",
        ),
    )


def _of_units(question: Question, by_edge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest score of the edges of each unit, [units, n]."""
    units = question.units
    found = np.zeros((len(units) + 1, by_edge.shape[1]))
    np.maximum.at(found, units.owner, by_edge)
    return found[:-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Prompt:
    """What was written on one prompt.

    Attributes:
        runs: Senders and stages.
        values: What every sender wrote, [senders, T, d].
        patterns: By sender, for heads: where it looked, [T, T].
        given: By sender, for heads: what each token gives it to write, [T, d].
        read: The tokens at which the logits are read.
    """

    runs: EdgeRuns
    values: Tensor
    patterns: dict[int, Tensor]
    given: dict[int, Tensor]
    read: tuple[int, ...]

    @classmethod
    def of(cls, runs: EdgeRuns, row: int) -> "_Prompt":
        """Run a prompt and look at its heads."""
        prompts = runs.pairs.base if runs.direction == "noising" else runs.pairs.source
        batch = make_batch(prompts, [row], runs.decoder.tokens.device)
        columns = Columns.of(runs.decoder, batch, runs.readout.at)
        values = own_values(runs.decoder, runs.layout, batch)
        going, patterns, given = Pass(runs.decoder, runs.layout, columns), {}, {}
        for stage in runs.layout.stages:
            if stage.kind != "attention":
                continue
            reads = PlainReads(runs.layout, values[:, : stage.parents], columns.read, keep=False)
            pattern, moved = going.looked(stage, reads)
            for place in range(len(stage.queries)):
                patterns[stage.writers[place]] = pattern[0, 0, place]
                given[stage.writers[place]] = moved[0, 0, place]
        return cls(runs, values[0], patterns, given, tuple(columns.read[0].tolist()))

    def shares(self, parents: int, token: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the senders and tokens of all terms at a token, [J, 2], and their shares, [J]."""
        terms, places = [], []
        for sender in range(parents):
            if sender in self.patterns:
                terms.append(self.patterns[sender][token][:, None] * self.given[sender])
                places += [(sender, source) for source in range(len(terms[-1]))]
            else:
                terms.append(self.values[sender, token][None])
                places.append((sender, token))
        each, whole = torch.cat(terms), self.values[:parents, token].sum(0)
        closer = (whole.abs().sum() - (whole - each).abs().sum(-1)).clamp(min=0).double()
        sum_of = float(closer.sum())
        found = (closer / sum_of if sum_of > 0 else closer).cpu().numpy()
        return np.array(places), found


def _survived(prompt: _Prompt, tau: float) -> NDArray[np.float64]:
    """Return the largest threshold that each edge survives, [edges]."""
    layout, tokens = prompt.runs.layout, prompt.values.shape[1]
    found = np.zeros(len(layout.sites))
    # How important the best route to a sender's term is: [senders, token, token it came from].
    reached = np.zeros((len(layout.senders), tokens, tokens))
    for stage in reversed(layout.stages):
        levels = _levels(prompt, stage, reached)  # [receivers, T]
        edges = found[stage.edges].reshape(stage.receivers, stage.parents)
        for token in np.flatnonzero(levels.max(0) > tau):
            places, shares = prompt.shares(stage.parents, int(token))
            shares = np.where(shares > tau, shares, 0.0)
            best = np.minimum(levels[:, token, None], shares)  # [receivers, J]
            np.maximum.at(edges.T, places[:, 0], best.T)
            senders, sources = places.T
            reached[senders, token, sources] = np.maximum(
                reached[senders, token, sources], best.max(0)
            )
        found[stage.edges] = edges.ravel()
    return found


def _levels(prompt: _Prompt, stage: Stage, reached: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how important the best route to each receiver of a stage is, [receivers, T]."""
    if stage.kind == "logits":
        found = np.zeros((1, reached.shape[1]))
        found[0, list(prompt.read)] = 1.0
        return found
    if stage.kind == "mlp":
        at_mlp: NDArray[np.float64] = reached[stage.writers.start].max(-1)
        return at_mlp[None]
    heads = reached[stage.writers.start : stage.writers.start + len(stage.queries)]
    looked_at = np.stack(list(_by_group(prompt, stage, heads)))
    return np.concatenate([heads.max(-1), looked_at, looked_at])


def _by_group(
    prompt: _Prompt, stage: Stage, heads: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Yield for each K/V group how important the best route to each token looked at is, [T]."""
    shape = prompt.runs.layout.graph.shape
    for group in stage.groups:
        members = [place for place, h in enumerate(stage.queries) if shape.group_of(h) == group]
        yield heads[members].max((0, 1))
