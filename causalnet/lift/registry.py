"""Which adapter reads which class of modules."""

from causalnet.errors import UnsupportedArchitectureError
from causalnet.lift.adapter import Adapter
from causalnet.lift.architectures import GPT2, LLAMA, SMALL

__all__ = ["adapter_for", "register", "registered"]

# The one table that users may add to: an architecture is known to the whole process.
_ADAPTERS: dict[str, Adapter] = {adapter.module_class: adapter for adapter in (LLAMA, GPT2, SMALL)}


def register(adapter: Adapter) -> Adapter:
    """Make an architecture known by its class name, in place of an earlier adapter of that name."""
    _ADAPTERS[adapter.module_class] = adapter
    return adapter


def registered() -> tuple[str, ...]:
    """Return the class names that can be lifted.

    >>> {"GPT2LMHeadModel", "LlamaForCausalLM"} <= set(registered())
    True
    """
    return tuple(sorted(_ADAPTERS))


def adapter_for(module: object) -> Adapter:
    """Return the adapter of a module's class.

    Raises:
        UnsupportedArchitectureError: No adapter of that name.
    """
    name = type(module).__name__
    if name not in _ADAPTERS:
        raise UnsupportedArchitectureError(
            f"No adapter for {name}.",
            f"Registered: {', '.join(registered())}.",
            f"Write causalnet.lift.register(Adapter(module_class={name!r}, ...)), as "
            "causalnet/lift/architectures.py does for Llama.",
        )
    return _ADAPTERS[name]
