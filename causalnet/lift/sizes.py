"""What the cost of a lifted network depends on."""

from causalnet.compiler.sizes import Sizes
from causalnet.lift.network import LiftedNetwork
from causalnet.lift.places import parameter

__all__ = ["network_sizes"]


def network_sizes(net: LiftedNetwork) -> Sizes:
    """Return the sizes that work on a lifted network is priced by."""
    adapter = net.adapter
    number = parameter(net.places.tokens, "weight").element_size()
    gated = bool(adapter.mlp_gate)
    return Sizes(net.graph.shape, gated, adapter.norm, adapter.positions, number)
