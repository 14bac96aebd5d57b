"""Terms that do not fit the network, and constants that do not fit the terms."""

from typing import Any

import torch

from causalnet.effects import matrix, vector
from causalnet.errors import NumericalError, TermError, UnknownMediatorError
from causalnet.execute import Constant, PerPosition, Pooled
from causalnet.interventions import (
    Ablation,
    AblationKind,
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Indices,
    Node,
    Op,
    Part,
    Read,
    Self,
    Subspace,
    ablation_effect,
    logit_diff,
)
from tests.faults.table import Work, asking, fault, running

# -- mediators and edges -------------------------------------------------------------------------


@fault(asking, UnknownMediatorError, "column 5", "L9.H2", "Layers are 0..1")
def a_layer_that_the_network_does_not_have(work: Work) -> None:
    work.query = "nie(L9.H2; at=end)"


@fault(asking, UnknownMediatorError, "column 5", "L1.H7", "heads 0..3")
def a_head_that_the_layer_does_not_have(work: Work) -> None:
    work.query = "nie(L1.H7; at=end)"


@fault(asking, TermError, "Line 1, column 1", "'nei'", "nie")
def a_query_that_is_misspelt(work: Work) -> None:
    work.query = "nei(L1.H2; at=end)"


def edge(work: Work, sender: str, receiver: str) -> None:
    """Send the source's value along an edge."""
    work.site, work.value = Edge(sender, receiver), At(sender, Base("source"))


@fault(running, TermError, "L1.mlp", "L0.H2.q")
def an_edge_from_a_later_writer_to_an_earlier_receiver(work: Work) -> None:
    edge(work, "L1.mlp", "L0.H2.q")


@fault(running, UnknownMediatorError, "L1.H3.k", "L1.KV1.k")
def an_edge_into_the_key_of_a_query_head(work: Work) -> None:
    edge(work, "L0.mlp", "L1.H3.k")


@fault(running, TermError, "L0.resid_post -> L1.H0.q", "a cut")
def an_edge_that_starts_at_a_cut(work: Work) -> None:
    edge(work, "L0.resid_post", "L1.H0.q")


@fault(running, TermError, "L1.H2.z", "L1.mlp")
def a_value_of_another_width_than_the_site(work: Work) -> None:
    work.site, work.value = Node("L1.mlp"), At("L1.H2.z", Base("source"))


# -- views ---------------------------------------------------------------------------------------


def basis(columns: int, width: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(width, columns, generator=generator, dtype=torch.float64)
    orthonormal: torch.Tensor = torch.linalg.qr(drawn).Q
    return orthonormal


def viewed(work: Work, part: Part, *constants: tuple[Handle, Constant]) -> None:
    """Set a part of an MLP's output."""
    work.site = Node("L1.mlp", (), part)
    work.constants = dict(constants)


@fault(running, TermError, "L1.mlp has no feature 40", "0..31")
def an_index_behind_the_value(work: Work) -> None:
    viewed(work, Indices("feature", (3, 40)))


@fault(running, TermError, "basis 'narrow'", "L1.mlp", "(8, 2)", "32 wide")
def a_basis_of_another_width(work: Work) -> None:
    handle, bound = matrix("narrow", basis(2, width=8))
    viewed(work, Subspace(handle, (0, 1)), (handle, bound))


@fault(running, TermError, "basis 'askew'", "not orthonormal")
def a_basis_that_is_not_orthonormal(work: Work) -> None:
    handle, bound = matrix("askew", 2 * basis(2))
    viewed(work, Subspace(handle, (0, 1)), (handle, bound))


@fault(running, TermError, "column 5", "columns 0..1")
def a_column_that_the_basis_does_not_have(work: Work) -> None:
    handle, bound = matrix("short", basis(2))
    viewed(work, Subspace(handle, (0, 5)), (handle, bound))


@fault(running, TermError, "Number 0 of what is asked for is a Do", "Read(")
def a_world_in_place_of_a_read_out(work: Work) -> None:
    world: Any = Do(Base("base"), ((work.site, work.value),))
    work.leaves = (world,)


@fault(running, TermError, "L1.mlp[end] and L1.mlp[5]", "row 0")
def two_names_of_one_token(work: Work) -> None:
    two = ((Node("L1.mlp", ("end",)), Const()), (Node("L1.mlp", (5,)), Self()))
    work.leaves = (Read(logit_diff, Do(Base("base"), two)),)


# -- constants, operations, inputs ---------------------------------------------------------------


def constant(work: Work, label: str, values: torch.Tensor) -> None:
    """Set an MLP's output to a vector."""
    handle, bound = vector(label, values)
    work.value, work.constants = Const(handle), {handle: bound}


@fault(running, TermError, "'lost' is not bound", "`vectors`")
def a_constant_that_is_not_bound(work: Work) -> None:
    constant(work, "lost", torch.zeros(32))
    work.constants = {}


@fault(running, TermError, "width 5", "32 wide")
def a_constant_of_another_width(work: Work) -> None:
    constant(work, "narrow", torch.zeros(5))


@fault(running, TermError, "shape [6, 32]", "L1.mlp", "PerPosition")
def a_vector_for_each_token_of_one_prompt(work: Work) -> None:
    constant(work, "rows", torch.zeros(6, 32))


@fault(running, TermError, "complex numbers", "L1.mlp")
def a_constant_of_complex_numbers(work: Work) -> None:
    handle, _ = vector("waves", torch.zeros(32))
    values = torch.zeros(32, dtype=torch.complex64)
    work.value, work.constants = Const(handle), {handle: Pooled(values)}


@fault(running, TermError, "A Tensor is bound", "L1.mlp", "Pooled(vector)")
def a_tensor_in_place_of_a_constant(work: Work) -> None:
    constant(work, "bare", torch.zeros(32))
    bare: Any = torch.zeros(32)
    work.constants = dict.fromkeys(work.constants, bare)


@fault(running, TermError, "A matrix [32, 2]", "one vector")
def a_matrix_in_place_of_a_vector(work: Work) -> None:
    handle, bound = matrix("flat", basis(2))
    work.value, work.constants = Const(handle), {handle: bound}


@fault(running, TermError, "'each'", "a value for each position")
def a_basis_for_each_position(work: Work) -> None:
    handle = Handle("each", "0" * 64)
    viewed(work, Subspace(handle, (0,)), (handle, PerPosition({"": basis(2)})))


@fault(asking, TermError, "'one' is not the one that its handle names")
def a_vector_under_the_handle_of_another(work: Work) -> None:
    handle, _ = vector("one", torch.zeros(32))
    _, other = vector("other", torch.ones(32))
    work.query = ablation_effect(work.net["L0.mlp"], Ablation(AblationKind.STEER, vector=handle))
    work.running["vectors"] = {handle: other}


@fault(running, NumericalError, "value set at L1.mlp", "prompt 'w0 w9 ", forwards=True)
def nan_in_a_constant(work: Work) -> None:
    constant(work, "broken", torch.full((32,), float("nan"), dtype=torch.float64))


@fault(running, TermError, "rotate/v1", "add/v1")
def an_operation_without_a_body(work: Work) -> None:
    work.value = Op("rotate", (Self(),))


@fault(running, TermError, "'elsewhere' is not bound", "base, source")
def an_input_that_is_not_bound(work: Work) -> None:
    work.value = At("L1.mlp", Base("elsewhere"))
