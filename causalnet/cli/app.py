"""The commands and their options; each does its work in a module of its own.

Imports inside the commands: `causalnet --help` must load no torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from causalnet.cli.discover_command import discover
from causalnet.cli.options import SMOLLM2, Device, DType, Json, Quiet, SchemaJson, Seed
from causalnet.cli.terminal import Terminal

__all__ = ["app"]

app = typer.Typer(
    name="causalnet",
    help="Causal queries over neural networks: from a model to a verdict.",
    epilog="Exit status: 0 all claims supported, 1 one refuted, 2 undecided or not identified, "
    "3 bad input, 4 a mistake of ours, 130 interrupted.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs 0.2 s of CPU at every --help
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"causalnet {version('causalnet-lab')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Show the help when no command is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("causalnet-demo"),
    seed: Seed = None,
    device: Device = None,
    dtype: DType = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Check the claims of a known circuit; write a report."""
    from causalnet.cli.demo import run_demo

    return run_demo(output, seed, device, dtype, Terminal(json, quiet))


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Claim files (YAML), one after the other."),
    ],
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML report here, of one claim file.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write a picture here, of one claim file.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here, for CI.")] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Write results as JSON here, the same bytes however they came about."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="LEDGER",
            help="Keep the model's answers here, and go on where an earlier run stopped.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="Stop after so many plain forwards over all test prompts, or so much CPU time: "
            "300fe, 10min.",
        ),
    ] = None,
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code", help="Run the Python code that a file names for a hypothesis."
        ),
    ] = False,
    seed: Seed = None,
    device: Device = None,
    dtype: DType = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Check claim files; the exit status is the verdict.

    Exit status: 0 all supported, 1 one refuted, else 2.
    """
    from causalnet.cli.verify import run_verify
    from causalnet.cli.verify_asked import Verification

    asked = Verification(
        tuple(files), report, png, junit, results, resume, budget, seed, device, dtype, allow_code
    )
    return run_verify(asked, Terminal(json, quiet))


@app.command()
def why(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="JSON that `verify` wrote, a ledger (its last run), or LEDGER#ID."
        ),
    ],
    claim: Annotated[
        str,
        typer.Argument(
            metavar="CLAIM", help="The id of a claim.", show_default="all that are not SUPPORTED"
        ),
    ] = "",
    budget: Annotated[
        str, typer.Option(metavar="AMOUNT", help="Forward passes for each claim: '500 forwards'.")
    ] = "1000 forwards",
    prompts: Annotated[
        int, typer.Option(min=2, help="On how many prompts what is missing is searched.")
    ] = 16,
    device: Device = None,
    dtype: DType = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Say why claims failed: what is missing, the noise, other conventions.

    Exit status: 0 explained, 3 bad input.
    """
    from causalnet.cli.why import Why, run_why

    asked = Why(run, claim, budget, prompts, device, dtype)
    return run_why(asked, Terminal(json, quiet))


app.command()(discover)


@app.command()
def explain(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|QUERY", help="A claim file, or a query: 'nie(L20.H0; at=end)'."
        ),
    ],
    model: Annotated[
        str, typer.Option(help="For a query, the model whose mediators it names.")
    ] = SMOLLM2,
    rows: Annotated[int, typer.Option(help="For a query, how many rows are written out.")] = 1,
    prompts: Annotated[int, typer.Option(help="For a query, how many prompts.")] = 16,
    tokens: Annotated[int, typer.Option(help="For a query, how many tokens a prompt has.")] = 16,
    first_different: Annotated[
        int, typer.Option(help="For a query, the first token at which base and source differ.")
    ] = 0,
    budget: Annotated[
        str | None, typer.Option(help="For a query, the memory there is beside the model: 2GB.")
    ] = None,
    seed: Seed = None,
    device: Device = None,
    dtype: DType = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Say what claims or a query mean, would run and would cost; run nothing."""
    from causalnet.cli.explain import Assumed, run_explain

    assumed = Assumed(rows, prompts, tokens, first_different, budget)
    return run_explain(target, model, assumed, seed, device, dtype, Terminal(json, quiet))


@app.command(name="identify")
def identify_command(
    graph: Annotated[
        str,
        typer.Argument(
            metavar="GRAPH",
            help="A file (GraphML, DOT, dagitty, GML, JSON), text such as 'X -> Z -> Y, X <-> Y', "
            "or a textbook's graph such as 'front-door'.",
        ),
    ],
    question: Annotated[
        str,
        typer.Argument(
            metavar="QUESTION",
            help="For example 'P(y | do(x))', 'nde(X -> Y; via M)'; may be left out where the "
            "graph comes with one.",
        ),
    ] = "",
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Z",
            help="Variables that an experiment set; repeat it for others. P(V) stays known.",
        ),
    ] = None,
    no_observations: Annotated[
        bool, typer.Option("--no-observations", help="P(V) is not known, only what else is named.")
    ] = False,
    domain: Annotated[
        list[str] | None,
        typer.Option(metavar="A:X", help="Known of another domain: 'a' its P(V), 'a:X' do(X)."),
    ] = None,
    selection: Annotated[
        list[str] | None,
        typer.Option(metavar="A:Z", help="Where a domain differs: what makes Z is another in a."),
    ] = None,
    latent: Annotated[
        list[str] | None, typer.Option(metavar="U,W", help="Nodes that are not observed.")
    ] = None,
    observed: Annotated[
        list[str] | None, typer.Option(metavar="X,Y", help="Nodes that are; all others are not.")
    ] = None,
    check: Annotated[
        int | None,
        typer.Option(
            "--verify",
            metavar="K",
            help="Compare the formula with enumeration on so many random models.",
            show_default="2 where that is quick",
        ),
    ] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX only.")] = False,
    dot: Annotated[bool, typer.Option("--dot", help="Print a drawing in DOT only.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Say whether data determine an effect in a causal diagram, and how.

    Exit status: 0 identified, 2 not identified or bounded only, 3 bad input.
    """
    from causalnet.cli.identify import Asked, Form, run_identify
    from causalnet.cli.known import Known

    known = Known(experiment or (), not no_observations, domain or (), selection or ())
    asked = Asked(graph, question, latent or (), observed or (), known, check)
    form = Form.of(latex=latex, dot=dot)
    return run_identify(asked, form, Terminal(json, quiet))


@app.command()
def schema(json: SchemaJson = True, quiet: Quiet = False) -> int:
    """Print the JSON Schema of claim files."""
    from causalnet.cli.schema import run_schema

    return run_schema(Terminal(json, quiet))


@app.command()
def doctor(
    model: Annotated[
        str, typer.Option(help="The model to check: package://…, a GGUF file, a folder, a name.")
    ] = SMOLLM2,
    seed: Seed = None,
    device: Device = None,
    dtype: DType = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Check installation, lift, interchange, determinism."""
    from causalnet.cli.doctor import run_doctor

    return run_doctor(model, seed, device, dtype, Terminal(json, quiet))
