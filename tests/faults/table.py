"""The table: what each fault is, how it is put into a right set-up, and what must be said of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from causalnet.errors import CausalNetError
from causalnet.execute import Bindings, Constant, evaluate, run_leaves
from causalnet.interventions import (
    At,
    Base,
    Do,
    Handle,
    Leaf,
    Node,
    Query,
    Read,
    Site,
    Value,
    logit_diff,
)
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import LanguageModel, load
from causalnet.tasks import PromptPairs
from tests.small_models import tiny_llama
from tests.toys import words

__all__ = ["FAULTS", "Fault", "Use", "Work", "fault"]


MLP, FROM_SOURCE = Node("L1.mlp"), At("L1.mlp", Base("source"))


@dataclass(slots=True)
class Work:
    """Somebody's work with the library, right until a fault is put in.

    Attributes:
        folder: Where files may be written.
        module: The network in memory.
        given: What is handed to `load`, where it is not the network itself.
        options: Options of `load`.
        declared: Facts that the checkpoint states in place of those it has.
        rows: Pairs of prompts as they are given.
        align: Whether base and source are asked to have equal lengths.
        leaves: What is asked for; nothing means the indirect effect of `site`.
        query: What is asked for as text.
        site: What is set.
        value: To what.
        constants: Tensors by handle.
        running: Options of the executor.
        after_building: What is done with the pairs.
        after_binding: What is done with the bindings.
    """

    folder: Path
    module: Any = field(default_factory=tiny_llama)
    given: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, object] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=lambda: rows_of_words())
    align: bool = True
    leaves: tuple[Leaf, ...] = ()
    query: str | Query = "nie(L1.H2; at=end)"
    site: Site = MLP
    value: Value = FROM_SOURCE
    constants: dict[Handle, Constant] = field(default_factory=dict)
    running: dict[str, Any] = field(default_factory=dict)
    after_building: Callable[[PromptPairs], PromptPairs] = lambda pairs: pairs
    after_binding: Callable[[Bindings], Bindings] = lambda bound: bound
    _model: LanguageModel | None = None
    _net: LiftedNetwork | None = None

    @property
    def model(self) -> LanguageModel:
        """The model, loaded when it is first asked for."""
        if self._model is None:
            source = self.module if self.given is None else self.given
            found = load(source, **{"tokenizer": words(), **self.options})
            facts = {**found.declared, **self.declared}
            self._model = LanguageModel(
                found.module, found.tokenizer, facts, lambda: found.provenance
            )
        return self._model

    @property
    def net(self) -> LiftedNetwork:
        """The network, lifted when it is first asked for."""
        if self._net is None:
            self._net = lift(self.model)
        return self._net

    @property
    def pairs(self) -> PromptPairs:
        """The pairs, built from the rows."""
        return self.after_building(PromptPairs.build(words(), self.rows, align=self.align))

    @property
    def bindings(self) -> Bindings:
        """The prompts and tensors of a term."""
        return self.after_binding(Bindings.of(self.pairs, self.constants))


def rows_of_words() -> list[dict[str, object]]:
    """Four pairs that differ in their third word."""
    return [
        {
            "base": f"w{row} w9 w{10 + row} w8 w7 w6",
            "source": f"w{row} w9 w{20 + row} w8 w7 w6",
            "answer": f" w{30 + row}",
            "foil": f" w{40 + row}",
            "positions": {"third": 2},
        }
        for row in range(4)
    ]


Use: TypeAlias = Callable[[Work], object]


def lifting(work: Work) -> object:
    """Load and lift the network."""
    return work.net


def pairing(work: Work) -> object:
    """Build the pairs."""
    return work.pairs


def running(work: Work) -> object:
    """Run terms by the hook executor."""
    return evaluate(terms(work), work.net, work.bindings, **work.running)


def in_waves(work: Work) -> object:
    """Run terms by the wavefront executor."""
    return run_leaves(terms(work), work.net, work.bindings, executor="wavefront", **work.running)


def terms(work: Work) -> tuple[Leaf, ...]:
    """What is run: what is asked for, or one mediator set and the base world."""
    world = Do(Base("base"), ((work.site, work.value),))
    return work.leaves or (Read(logit_diff, world), Read(logit_diff, Base("base")))


def asking(work: Work) -> object:
    """Ask a query."""
    from causalnet.effects import run

    return run(work.query, work.net, work.pairs, **work.running)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: What is wrong.
        put: Puts it into somebody's work.
        use: What is done with the work, rightly before.
        error: The class of the error.
        words: What its message names.
        start: The work before.
        forwards: Whether it can only be seen while the network runs.
        of_hooks: Whether it is one only where the model itself is run, by hooks.
    """

    name: str
    put: Callable[[Work], object]
    use: Use
    error: type[CausalNetError]
    words: tuple[str, ...]
    start: Callable[[Path], Work] = Work
    forwards: bool = False
    of_hooks: bool = False


FAULTS: list[Fault] = []
"""All of them, in the order of the files that hold them."""


def fault(
    use: Use,
    error: type[CausalNetError],
    *words: str,
    start: Callable[[Path], Work] = Work,
    forwards: bool = False,
    of_hooks: bool = False,
) -> Callable[[Callable[[Work], object]], Callable[[Work], object]]:
    """Enter a function into the table that puts a fault into somebody's work."""

    def enter(put: Callable[[Work], object]) -> Callable[[Work], object]:
        name = put.__name__.replace("_", " ")
        runs = forwards or use is lifting
        FAULTS.append(Fault(name, put, use, error, words, start, runs, of_hooks))
        return put

    return enter
