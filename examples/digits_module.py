"""Which layers of a small convolutional network tell two digits apart?  Any `nn.Module` will do.

The network is trained on scikit-learn's digits for a few seconds, then lifted by tracing.  Each
layer is patched from an image of another digit; edges tell the skip from the branch beside it.

    python examples/digits_module.py
"""

import torch
from torch import Tensor, nn

from causalnet.execute.modules import ModuleBindings, evaluate_query
from causalnet.interventions import nie, te, zero_effects
from causalnet.lift import LiftedModule, lift_module


class Network(nn.Module):
    """Two convolutions with a skip around the second, and a branch that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.pool, self.out, self.idle = nn.MaxPool2d(2), nn.Linear(128, 10), nn.Linear(128, 2)

    def forward(self, image: Tensor) -> Tensor:
        h = self.first(image).relu()
        h = self.pool(h + self.second(h).relu()).flatten(1)
        self.idle(h)
        out: Tensor = self.out(h)
        return out


def trained(images: Tensor, labels: Tensor, seed: int = 0, steps: int = 80) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network()
        optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(steps):
            rows = torch.randint(len(images), (128,))
            loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    return network.eval()


def main() -> tuple[LiftedModule, dict[str, float]]:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    images = torch.tensor(loaded.images / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(loaded.target)
    network = trained(images[:1500], labels[:1500])

    net = lift_module(network, images[:4])  # refuses unless the graph is the network
    print(net)
    print(net.graph.draw())

    base, source = images[1500:1516], images[1520:1536]
    pairs = ModuleBindings.of(
        net, base, source, answers=labels[1500:1516].tolist(), foils=labels[1520:1536].tolist()
    )
    layers = [net[name] for name in ("first", "second", "pool", "idle")]
    found = {**evaluate_query(te(), net, pairs), **evaluate_query(nie(layers), net, pairs)}
    for edge in ("first -> second", "first -> pool"):
        patched = f"logit_difference(<base> + {{{edge} := first in <source>}})"
        effect = evaluate_query(f"{patched} - logit_difference(<base>)", net, pairs)
        found[edge] = next(iter(effect.values()))
    means = {label: float(values.mean()) for label, values in found.items()}
    for label, mean in means.items():
        print(f"{label:17} {mean:+.3f} logits")
    print(*zero_effects(nie(layers).contrasts, net.graph))
    return net, means


if __name__ == "__main__":
    main()
