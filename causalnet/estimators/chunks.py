"""Batches of pairs through an estimator: checks before, sums and errors after."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.effects.queries import check_asked_of
from causalnet.errors import OutOfMemoryError, ParameterError, TermError
from causalnet.estimators.attribution import Attribution, Passes
from causalnet.estimators.endpoints import Endpoints, bytes_of, endpoints_of
from causalnet.estimators.methods import Method
from causalnet.estimators.outcomes import Outcome, check_readout
from causalnet.estimators.sites import Sites
from causalnet.estimators.weights import Decoder, decoder_of
from causalnet.estimators.windows import live_columns, window_of
from causalnet.execute import Bindings
from causalnet.execute.alignment import check_positions
from causalnet.execute.runnable import check_batch_size, check_readable
from causalnet.interventions import At, Base, Direction, Do, Node, Position, ReadOut, Site
from causalnet.lift import LiftedNetwork, check_unchanged
from causalnet.lift.machine import is_out_of_memory
from causalnet.tasks import PromptPairs

__all__ = ["Job", "Scored"]

BUDGET = 1 << 29  # bytes beside the model that a batch is planned to take

Scored: TypeAlias = Callable[[Endpoints], Tensor]
"""From both worlds of a batch to its scores, [B, sites]."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What every estimator is asked: which network, pairs, outcome and direction.

    Attributes:
        net: The network.
        pairs: The prompts.
        readout: The outcome.
        direction: Which world is patched.
        at: Positions at which sites are patched; none means all.
        batch_size: Pairs in a batch at most; fewer where they would take more than half a
            gigabyte, and halved when memory runs out.
        per_prompt: Whether every prompt's scores are kept.

    Raises:
        TermError: A read-out that has no gradient here, a direction that is none.
        AlignmentError: Pairs of unequal length where all positions are patched.
        PromptError: A position that the prompts do not have, a prompt that is too long.
        LiftError: The model was changed after it was lifted.
        ParameterError: No lifted network, one that is not regular, no pairs, no batch.
    """

    net: LiftedNetwork
    pairs: PromptPairs
    readout: ReadOut
    direction: Direction
    at: tuple[Position, ...]
    batch_size: int
    per_prompt: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if self.direction not in ("noising", "denoising"):
            raise TermError(
                f"The direction {self.direction!r}.",
                "'noising' patches the base from the source, 'denoising' the other way.",
            )
        check_asked_of(self.net, self.pairs)
        if odd := self.net.graph.shape.irregularity:
            raise ParameterError(
                f"An estimator was asked of a network that has {odd}.",
                "The estimators' own passes are for regular decoders.",
                "Write cn.run(cn.nie(...), net, pairs) or cn.run(cn.path_patch(...), net, pairs): "
                "hooks compute the exact effects.",
            )
        check_batch_size(self.batch_size)
        if not len(self.pairs):
            raise ParameterError(
                "0 pairs were given.",
                "A score is a mean over at least one pair.",
                "Write for example cn.tasks.ioi(model.tokenizer, n=64, seed=0).",
            )
        check_unchanged(self.net)
        check_readout(self.readout)
        self.check_site(Node("embed", self.at))
        for prompts in (self.pairs.base, self.pairs.source):
            check_readable(prompts, self.net)
            prompts.at(self.readout.at)

    def check_site(self, site: Site) -> None:
        """Check that an interchange at a site lines up in every pair.

        Raises:
            AlignmentError: It does not.
            PromptError: A position that the prompts do not have.
        """
        worlds = Base("base"), Base("source")
        below, other = worlds if self.direction == "noising" else worlds[::-1]
        patched = Do(below, ((site, At(site.read_from, other)),))
        check_positions(patched, self.net.graph, Bindings.of(self.pairs))

    def run(
        self, method: Method, sites: Sites, scored: Scored, settings: Mapping[str, str]
    ) -> Attribution:
        """Run an estimator over all pairs.

        Args:
            method: The estimator.
            sites: What it scores.
            scored: Its scores of one batch.
            settings: What else was chosen, as words.

        Raises:
            NumericalError: NaN or infinity in either world.
            OutOfMemoryError: Memory ran out with a batch of one pair.
        """
        decoder, sums, row = decoder_of(self.net), _Sums(self.per_prompt), 0
        columns = live_columns(self.pairs.base, self.pairs.source)
        size = max(1, min(self.batch_size, BUDGET // bytes_of(decoder, columns)))
        while row < len(self.pairs):
            rows = range(row, min(row + size, len(self.pairs)))
            try:
                with torch.no_grad():
                    ends = self._ends(decoder, rows)
                    sums.add(ends, scored(ends))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                size = _halved(size, error)
                continue
            row = rows.stop
        whole = Counter(sums.counts)
        return Attribution(
            method=method,
            sites=sites,
            scores=sums.mean,
            standard_errors=sums.standard_errors,
            per_prompt=np.concatenate(sums.kept).T if self.per_prompt else None,
            direction=self.direction,
            readout=self.readout,
            unpatched=np.concatenate(sums.unpatched),
            total=np.concatenate(sums.total),
            passes=Passes(
                whole["forwards"], whole["backwards"], whole["run"] / max(1, whole["all"])
            ),
            net=self.net,
            pairs=self.pairs,
            settings=dict(settings),
        )

    def _ends(self, decoder: Decoder, rows: Sequence[int]) -> Endpoints:
        pairs = self.pairs
        sides = (pairs.base, pairs.source)
        below, other = sides if self.direction == "noising" else sides[::-1]
        answers = Bindings.of(pairs).answers
        window = window_of(below, other, rows, self.readout.at, decoder.tokens.device)
        outcome = Outcome(decoder, self.readout, answers, rows)
        return endpoints_of(decoder, window, outcome, self.direction)


def _halved(size: int, error: RuntimeError) -> int:
    if size == 1:
        raise OutOfMemoryError(
            "Memory ran out with a batch of one pair.",
            "",
            "Use a smaller model, shorter prompts, or another device.",
        ) from error
    return size // 2


@dataclass(slots=True)
class _Sums:
    """Sums over the prompts so far."""

    keep: bool
    count: int = 0
    sum: NDArray[np.float64] | None = None
    squares: NDArray[np.float64] | None = None
    kept: list[NDArray[np.float64]] = field(default_factory=list)
    unpatched: list[NDArray[np.float64]] = field(default_factory=list)
    total: list[NDArray[np.float64]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, ends: Endpoints, scores: Tensor) -> None:
        """Add a batch: its scores, [B, sites]."""
        values = _array(scores)
        self.count += len(values)
        self.sum = values.sum(0) + (0.0 if self.sum is None else self.sum)
        self.squares = np.square(values).sum(0) + (0.0 if self.squares is None else self.squares)
        self.kept += [values] if self.keep else []
        self.unpatched.append(_array(ends.unpatched))
        self.total.append(_array(ends.total))
        self.counts += ends.counts

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over prompts, [sites]."""
        return np.asarray(self.sum) / self.count

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Standard error of that mean, [sites]; NaN with one prompt."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        spread = np.asarray(self.squares) - self.count * self.mean**2
        return np.sqrt(spread.clip(min=0.0) / (self.count * (self.count - 1)))


def _array(values: Tensor) -> NDArray[np.float64]:
    return values.detach().to("cpu").double().numpy()
