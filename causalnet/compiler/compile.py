"""From terms to a program, through the passes."""

from collections.abc import Iterable

from causalnet.compiler.gather import gather
from causalnet.compiler.passes import PASSES
from causalnet.compiler.program import Program
from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Read

__all__ = ["compile_reads"]


def compile_reads(reads: Iterable[Read], graph: MediatorGraph) -> Program:
    """Return the program of some read-outs.

    Raises:
        TermError: The graph of a network that is not regular (`TransformerShape.is_regular`).

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> from causalnet.interventions import At, Base, Do, Node, logit_diff
    >>> graph = transformer_graph(TransformerShape(2, 2, 2, 4, 2, 4, 8))
    >>> patched = Do(Base("base"), ((Node("L1.H0.z", ("end",)), At("L1.H0.z", Base("source"))),))
    >>> print(compile_reads([Read(logit_diff, patched)], graph))
    v0 = run of source until L1.attention | keeps L1.H0.z
    v1 = run of base until L1.attention
    v2 = v1 at L1.attention [output] until logits: L1.H0.z[end] := L1.H0.z of v0
    read logit_difference in v2
    """
    if graph.sizes is not None and graph.sizes.irregularity:
        raise TermError(
            f"A network with {graph.sizes.irregularity}.",
            "Plans are made for regular decoders.",
            "Write executor='hooks', which runs the model itself.",
        )
    program = gather(reads, graph)
    for run_pass in PASSES:
        program = run_pass(program)
    return program
