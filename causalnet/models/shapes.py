"""The sizes of a model from its own file, without its weights."""

from collections.abc import Mapping
from dataclasses import replace

from causalnet.compiler.sizes import Sizes
from causalnet.errors import ModelFileError
from causalnet.graphs import TransformerShape
from causalnet.models.declared import declared_by_config, declared_by_gguf
from causalnet.models.folders import read_json
from causalnet.models.gguf_header import read_gguf_header
from causalnet.models.hub import find_hub_folder
from causalnet.models.sources import FolderSource, GGUFSource, KnownSource, find_source

__all__ = ["shape_of", "sizes_of"]

_SIZES = {
    "layers": "layers",
    "heads": "heads",
    "kv_heads": "kv_heads",
    "d_model": "width",
    "d_head": "head_width",
    "d_mlp": "mlp_width",
    "vocabulary": "vocabulary",
}


#: Architectures whose MLP has no gate, and whose norms take off the mean.
_GPT2_LIKE = ("gpt2",)


def shape_of(source: str) -> TransformerShape:
    """Return a model's sizes as its GGUF header or its configuration states them.

    Args:
        source: `package://...`, a GGUF file, a folder, `known:NAME`, or a name of the hub.

    Raises:
        ModelNotFoundError: A model that is not there.
        ModelFileError: A file that cannot be read, or does not state its sizes.
    """
    return sizes_of(source).shape


def sizes_of(source: str, number: int = 4) -> Sizes:
    """Return what a model's cost depends on, as its own file states it.

    Args:
        source: `package://...`, a GGUF file, a folder, `known:NAME`, or a name of the hub.
        number: Bytes of one number that it will compute with.

    Raises:
        ModelNotFoundError: A model that is not there.
        ModelFileError: A file that cannot be read, or does not state its sizes.
    """
    found = find_source(source)
    if isinstance(found, KnownSource):
        return Sizes(_known_shape(source, found.name), False, "none", "learned", number)
    if isinstance(found, GGUFSource):
        header = read_gguf_header(found.path)
        facts, kind, biased = declared_by_gguf(header), header.architecture, False
    else:
        folder = found.path if isinstance(found, FolderSource) else find_hub_folder(found.name)
        written = read_json(folder / "config.json")
        facts, kind = declared_by_config(written), str(written.get("model_type"))
        biased = bool(written.get("attention_bias"))
    # GPT-2's output projection has a bias, which its configuration does not mention.
    shape = _shape(source, facts, biased or kind in _GPT2_LIKE)
    if kind in _GPT2_LIKE:
        return Sizes(shape, False, "layer", "learned", number)
    return Sizes(shape, True, "rms", "rotary", number)


def _known_shape(source: str, name: str) -> TransformerShape:
    """Return the sizes of a network that is built, not read."""
    from causalnet.known_circuits import known_circuit

    config = known_circuit(name).shape
    facts = declared_by_config(config.to_dict())
    return replace(
        _shape(source, facts, False),
        normed=False,
        silent=config.silent,
        positions_apart=True,
        causal=config.causal,
    )


def _shape(source: str, facts: Mapping[str, object], biased: bool) -> TransformerShape:
    sizes = {ours: facts.get(theirs) for ours, theirs in _SIZES.items()}
    given = {name: size for name, size in sizes.items() if isinstance(size, int)}
    if len(given) < len(sizes):
        lacking = ", ".join(_SIZES[name] for name in sizes if name not in given)
        raise ModelFileError(
            f"The model {source!r} does not state its {lacking}.",
            "A transformer's own file states its sizes.",
            "Load it with causalnet.load and pass net=causalnet.lift(model).",
        )
    return TransformerShape(
        layers=given["layers"],
        heads=given["heads"],
        kv_heads=given["kv_heads"],
        d_model=given["d_model"],
        d_head=given["d_head"],
        d_mlp=given["d_mlp"],
        vocabulary=given["vocabulary"],
        attention_bias=biased,
    )
