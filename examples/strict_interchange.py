"""A circuit that is known because it was trained in: interchange training, plain and strict.

Two networks learn (first + second) mod 5, with nodes chosen beforehand for first, second and sum.
Both answer everything and both pass every interchange of an aligned node.  Only the strict one
does its work in these nodes alone: swap all others at once, and the plain one is lost.  Every
figure is measured on held-out pairs of inputs, by terms on the lifted network.

    python -m causalnet.examples.strict_interchange
"""

import numpy as np
import torch

import causalnet as cn
from causalnet.execute import Answers
from causalnet.known_circuits.interchange import HighLevelModel, modular_sum
from causalnet.known_circuits.interchange_report import draw_pairs
from causalnet.known_circuits.interchange_training import TrainedCircuit, train_strict
from causalnet.known_circuits.module import SmallShape, SmallTransformer
from causalnet.known_circuits.training import Course
from causalnet.known_circuits.words import word_tokenizer

MODULUS = 5


def trained(strict: float) -> TrainedCircuit:
    shape = SmallShape(MODULUS + 1, 4, width=32, layers=2, heads=2, head_width=16, mlp_width=128)
    course = Course(steps=600)
    return train_strict(shape, modular_sum(MODULUS), strict=strict, course=course, batch=128)


def lifted(module: SmallTransformer) -> cn.LiftedNetwork:
    words = [*map(str, range(module.config.vocabulary - 1)), "="]
    return cn.lift(cn.load(module, tokenizer=word_tokenizer(words)))


def measured_by_terms(
    net: cn.LiftedNetwork, high: HighLevelModel, pairs: int, seed: int = 0
) -> dict[str, float]:
    """Return interchange accuracies by variable, and how often answers stay by other node."""
    base, source = draw_pairs(high, pairs, "held out", torch.Generator().manual_seed(seed))
    right = high.run(base)["answer"]
    wrong = (right + 1) % high.inputs.max()  # asked for, though an accuracy needs none
    rows = [
        {"base_ids": b, "source_ids": s, "answer_ids": [r], "foil_ids": [w]}
        for b, s, r, w in zip(
            *(side.tolist() for side in (base, source, right, wrong)), strict=True
        )
    ]
    asked = cn.PromptPairs.build(net.model.tokenizer, rows)

    found = {}
    for variable in high.variables:
        after = high.interchanged(base, source, variable.name)
        answers = Answers(tuple((one,) for one in after.tolist()), ((),) * pairs, "mean")
        nodes = cn.joint(variable.name, *(net[node] for node in variable.nodes))
        query = cn.interchange_accuracy(nodes)
        table = cn.run(query, net, asked, answers={"interchange": answers}, batch_size=100)
        found[variable.name] = float(np.mean(table.values[0]))

    free = [node for node in (*net.heads(), *net.mlps()) if node.name not in high.aligned()]
    query = cn.interchange_accuracy([*free, cn.joint("all others", *free)], answers="answers")
    table = cn.run(query, net, asked, batch_size=100)
    return found | dict(zip(table.rows, table.values.mean(1).tolist(), strict=True))


def main() -> dict[str, dict[str, float]]:
    high, figures = modular_sum(MODULUS), {}
    for name, strict in (("strict", 1.0), ("plain", 0.0)):
        circuit = trained(strict)
        figures[name] = measured_by_terms(lifted(circuit.module), high, pairs=200)
        print(f"{name}, {circuit.looks[-1].step} steps: accuracy {circuit.report.accuracy:.3f}")
        for label, share in figures[name].items():
            print(f"  {label:10} {share:.3f}")
    return figures


if __name__ == "__main__":
    main()
