"""`causalnet discover`: its arguments and options."""

from pathlib import Path
from typing import Annotated

import typer

from causalnet.cli.options import Device, DType, Json, Quiet
from causalnet.cli.terminal import Terminal

__all__ = ["discover"]


def discover(
    model: Annotated[
        str,
        typer.Argument(help="package://…, a GGUF file, a folder, a name, or known:NAME."),
    ],
    task: Annotated[
        str,
        typer.Argument(
            help="A task such as ioi, or a file of pairs (.jsonl, .csv); may be left out for "
            "known:NAME."
        ),
    ] = "",
    method: Annotated[
        str | None,
        typer.Option(
            help="How units are scored: exact_patching, eap, eap_ig_inputs, acdc, …",
            show_default="exact where units are few, else EAP-IG",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An option of the method: steps=10."),
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Test the circuit of an attribution graph (JSON)."
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Prune that graph by influence first.")
    ] = False,
    ablation: Annotated[
        str,
        typer.Option(
            help="counterfactual, zero, mean, mean_per_position, resample, noise or optimal.",
        ),
    ] = "counterfactual",
    grain: Annotated[str, typer.Option(help="nodes, heads, edges, receivers or positions.")] = (
        "nodes"
    ),
    size: Annotated[
        int | None,
        typer.Option(help="How many units the circuit has.", show_default="a tenth, 5 to 100"),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="In place of a size: the score above which units stay.")
    ] = None,
    connect: Annotated[
        str | None,
        typer.Option(
            help="Edges only: no, prune (drop what is on no path) or greedy (grow from the logits)."
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the task: corruption=abc."),
    ] = None,
    prompts: Annotated[
        int, typer.Option(min=1, help="How many pairs find the circuit; as many others test it.")
    ] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")] = 0,
    readout: Annotated[
        str, typer.Option(help="logit_difference, probability, loss, kl, logit_distance, accuracy.")
    ] = "logit_difference",
    readout_at: Annotated[
        str, typer.Option(help="Where it is read: end, all (the mean over tokens), or S2.")
    ] = "end",
    direction: Annotated[str, typer.Option(help="noising or denoising.")] = "noising",
    at: Annotated[str, typer.Option(help="Where units are removed: all, end, or S2,end.")] = "all",
    reference_size: Annotated[
        int, typer.Option(min=1, help="Prompts of means, resampling and learning.")
    ] = 64,
    output: Annotated[Path, typer.Option(help="Folder for what is found.")] = Path(
        "causalnet-circuit"
    ),
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="JOURNAL", help="Go on from this journal, in place of the output folder's."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Go on where the model does not do the task; write over claims."
        ),
    ] = False,
    device: Device = None,
    dtype: DType = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Find the circuit of a task; write its claims, picture and scores."""
    from causalnet.cli.discover import Search, run_discover

    asked = Search(
        model,
        task,
        method,
        settings or (),
        graph,
        prune,
        ablation,
        grain,
        size,
        threshold,
        connect,
        option or (),
        prompts,
        seed,
        readout,
        direction,
        at,
        reference_size,
        output,
        resume,
        force,
        device,
        dtype,
        readout_at,
    )
    return run_discover(asked, Terminal(json, quiet))
