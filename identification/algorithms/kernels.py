"""Kernels: Q[C] = P(C | do(everything else)) as a chain of conditionals, and sums over it.

A chain writes Q[T] as a product of conditionals q(v | earlier nodes of T), so that what is summed
out last goes without a trace, and what is left has few factors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from causalnet.identification.algorithms.masks import bits
from causalnet.identification.expressions import Expression, product, ratio, sum_over
from causalnet.identification.values import Value

__all__ = ["Factor", "conditional", "normalised", "summed"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A function of the values of some nodes.

    Attributes:
        expression: The function.
        scope: The nodes that it depends on.
        head: The nodes over whose values it sums to 1, whatever the others are; 0 if over none.
    """

    expression: Expression
    scope: int
    head: int = 0


def summed(factors: Iterable[Factor], over: int, symbols: Sequence[Value]) -> list[Factor]:
    """Return the factors of the sum of a product over some nodes.

    A factor that sums to 1 over nodes that no other factor depends on goes with them.  What is left
    is grouped by the nodes that are summed, each group under a sum of its own.

    Args:
        factors: The product.
        over: The nodes whose values are summed over; every one is in some factor's scope.
        symbols: The symbol of each node.
    """
    kept, over = _dropped(list(factors), over)
    free = [factor for factor in kept if not factor.scope & over]
    groups = _groups([factor for factor in kept if factor.scope & over], over)
    return free + [_under_sum(group, over, symbols) for group in groups]


def _dropped(factors: list[Factor], over: int) -> tuple[list[Factor], int]:
    """Leave out factors that sum to 1, and their nodes."""
    uses: dict[int, int] = {}
    for factor in factors:
        for at in bits(factor.scope & over):
            uses[at] = uses.get(at, 0) + 1
    gone: set[int] = set()
    behind = {at: place for place, factor in enumerate(factors) for at in bits(factor.head & over)}
    waiting = [at for at in behind if uses[at] == 1]
    while waiting:
        place = behind[waiting.pop()]
        factor = factors[place]
        if place in gone or factor.head & ~over or any(uses[at] > 1 for at in bits(factor.head)):
            continue
        gone.add(place)
        over &= ~factor.head
        for at in bits(factor.scope & over):
            uses[at] -= 1
            if uses[at] == 1 and at in behind:
                waiting.append(at)
    return [factor for place, factor in enumerate(factors) if place not in gone], over


def _groups(factors: list[Factor], over: int) -> list[list[Factor]]:
    """Part factors by the summed nodes that they share."""
    groups: list[tuple[int, list[Factor]]] = []
    for factor in factors:
        touched = [group for group in groups if group[0] & factor.scope & over]
        joined = [each for group in touched for each in group[1]]
        scope = factor.scope
        for group in touched:
            scope |= group[0]
        groups = [group for group in groups if group not in touched]
        groups.append((scope, [*joined, factor]))
    return [group for _, group in groups]


def _under_sum(group: list[Factor], over: int, symbols: Sequence[Value]) -> Factor:
    scope = head = 0
    for factor in group:
        scope |= factor.scope
        head |= factor.head
    bound = [symbols[at] for at in bits(scope & over)]
    body = product(factor.expression for factor in group)
    return Factor(sum_over(bound, body), scope & ~over, 0)


def conditional(
    chain: Sequence[Factor], over: int, node: int, later: int, symbols: Sequence[Value]
) -> Factor:
    """Return q(node | earlier nodes) of a chain that some nodes are summed out of.

    It is the ratio of the sums with and without the node; factors of both cancel.

    Args:
        chain: The product.
        over: The nodes that are summed out.
        node: The node, as a set of one.
        later: The nodes behind it in the order.
        symbols: The symbol of each node.
    """
    above = summed(chain, over | later, symbols)
    below = summed(chain, over | later | node, symbols)
    shared = {factor.expression for factor in above} & {factor.expression for factor in below}
    over_line = [factor for factor in above if factor.expression not in shared]
    under_line = [factor for factor in below if factor.expression not in shared]
    scope = 0
    for factor in over_line + under_line:
        scope |= factor.scope
    expression = ratio(
        product(factor.expression for factor in over_line),
        product(factor.expression for factor in under_line),
    )
    return Factor(expression, scope, node)


def normalised(
    factors: Sequence[Factor], over: int, outcomes: int, symbols: Sequence[Value]
) -> Expression:
    """Return a sum of a product, divided by its sum over the outcomes as well.

    Args:
        factors: The product.
        over: The nodes that are summed out.
        outcomes: The nodes over whose values the result sums to 1.
        symbols: The symbol of each node.
    """
    return conditional(factors, over, outcomes, 0, symbols).expression
