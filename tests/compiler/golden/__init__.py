"""Printed programs after each pass, for queries that tell something.

`python -m tests.compiler.golden` writes the files anew; read the difference before it is kept.
"""

from collections.abc import Sequence
from pathlib import Path

from causalnet.compiler import PASSES
from causalnet.compiler.gather import gather
from causalnet.graphs import TransformerShape, transformer_graph
from causalnet.interventions import Read, kl, lens, logit_diff, parse_world

__all__ = ["FOLDER", "QUERIES", "text_of"]

FOLDER = Path(__file__).parent
GRAPH = transformer_graph(TransformerShape(2, 2, 1, 4, 2, 4, 8))


def reads(*layers: str, below: str = "<base>") -> list[Read]:
    return [
        Read(logit_diff, parse_world(f"{below} + {layer}" if layer else below)) for layer in layers
    ]


HEADS = [f"L{layer}.H{head}" for layer in range(2) for head in range(2)]
WHERE = "<base> + {L0.H0 := L0.H0 in <source>} + {L1.H0.z := L1.H0.z in <base>}"

QUERIES: dict[str, tuple[str, Sequence[Read]]] = {
    "heads_at_end": (
        "The effect of each head at the last position.",
        reads("", *(f"{{{head}.z[end] := {head}.z in <source>}}" for head in HEADS)),
    ),
    "pairs": (
        "Pairs of heads: those with one first head share its version.",
        reads(
            *(
                f"{{{first} := {first} in <source>, {second} := {second} in <source>}}"
                for index, first in enumerate(HEADS)
                for second in HEADS[index + 1 :]
            )
        ),
    ),
    "path_patching": (
        "A head's effect by way of one query: one edge, no runs besides.",
        reads("", "{L0.H0 -> L1.H1.q := L0.H0 in <source>}"),
    ),
    "nested": (
        "A value in a world that reads another world.",
        reads(f"{{L1.mlp := L1.mlp in {WHERE}}}"),
    ),
    "direct_path": (
        "What heads write into the logits themselves: nothing is run for it but the runs.",
        reads("", *(f"{{{head} -> logits := {head} in <source>}}" for head in HEADS)),
    ),
    "denoising": (
        "Two worlds that are restored at one cut are one from there on.",
        reads(
            "{L0.H0 := L0.H0 in <base>} + {L1.resid_pre := L1.resid_pre in <base>}",
            "{L0.mlp := 0} + {L1.resid_pre := L1.resid_pre in <base>}",
            "{L0.mlp := 0, L1.resid_pre[end] := L1.resid_pre in <base>}",
            below="<source>",
        ),
    ),
    "nothing": (
        "Effects that are zero: a head's own value, and keys under a pattern that is held.",
        reads(
            "",
            "{L0.H0 := L0.H0 in <base>}",
            "{L1.KV0.k := 0} + {L1.H0.pattern := L1.H0.pattern in <base>, "
            "L1.H1.pattern := L1.H1.pattern in <base>}",
        ),
    ),
    "frozen_patterns": (
        "An MLP patched with all later patterns held, and read by a lens and against the base.",
        [
            Read(readout, parse_world(world))
            for readout in (lens(logit_diff, "L1.resid_mid"), kl)
            for world in (
                "<base> + {L0.mlp := 0, L1.H0.pattern := L1.H0.pattern in <base>, "
                "L1.H1.pattern := L1.H1.pattern in <base>}",
            )
        ],
    ),
}
"""What the files are about, by name."""


def text_of(name: str) -> str:
    """Return the text of a file: the program as it is gathered, and after each pass."""
    about, asked = QUERIES[name]
    program = gather(asked, GRAPH)
    parts = [f"# {about}", *map(str, asked), "\n## gather", *program.lines()]
    for run_pass in PASSES:
        smaller = run_pass(program)
        parts.append(f"\n## {run_pass.__name__}")
        parts += ["nothing to do"] if smaller is program else smaller.lines()
        program = smaller
    return "\n".join([*parts, *(f"note {note}" for note in program.notes)]) + "\n"
