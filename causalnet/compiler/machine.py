"""How long work takes: a machine's rates for each class of kernel, measured once."""

from dataclasses import dataclass
from math import log2
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["CPU", "Kernel", "Machine", "Work"]

Kernel: TypeAlias = Literal["product", "scores", "stream"]
"""Products with weights; batched products of queries, keys and values; everything elementwise."""


class Work(NamedTuple):
    """Some calls of one class of kernel.

    Attributes:
        stage: `base`, `births`, `suffix` or `read-out`.
        kernel: The class.
        tokens: Rows of a matrix in one call; decides the rate of products.
        flops: Multiplications and additions of all calls together.
        moved: Bytes that are read and written elementwise.
        calls: How many kernels are called.
    """

    stage: str
    kernel: Kernel
    tokens: int
    flops: int
    moved: int = 0
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Machine:
    """The rates of a device.

    Attributes:
        name: What was measured.
        products: Tokens in a call and FLOP/s of products with weights, in rising order.
        scores: FLOP/s of batched products.
        bandwidth: Bytes moved in a second by elementwise kernels.
        call: Seconds that a call takes however small it is.
        model: The rates of products in the model's own forward, where its kernels are others.
    """

    name: str
    products: tuple[tuple[int, float], ...]
    scores: float
    bandwidth: float
    call: float
    model: tuple[tuple[int, float], ...] = ()

    def rate(self, tokens: int, of_model: bool = False) -> float:
        """Return the FLOP/s of products with some number of tokens, between those measured.

        With fewer tokens than were measured, reading the weights is what takes time.

        >>> round(CPU.rate(64) / 1e9)
        95
        """
        (low, slow), *rest = (of_model and self.model) or self.products
        if tokens < low:
            return slow * max(tokens, 1) / low
        for high, fast in rest:
            if tokens < high:
                share = log2(tokens / low) / log2(high / low)
                return (1 - share) * slow + share * fast
            low, slow = high, fast
        return slow

    def seconds(self, work: Work, of_model: bool = False) -> float:
        """Return how long some work takes; of the model's own forward, where that is asked."""
        rate = self.rate(work.tokens, of_model) if work.kernel == "product" else self.scores
        return work.flops / rate + work.moved / self.bandwidth + work.calls * self.call


CPU = Machine(
    "a CPU core of 155 GFLOP/s (not measured on this machine)",
    products=((16, 57e9), (256, 133e9), (2048, 155e9)),
    scores=75e9,
    bandwidth=10e9,
    call=15e-6,
)
"""One thread, float32: the rates of products by their tokens are those of SmolLM2's shapes."""
