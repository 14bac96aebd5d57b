"""What estimators were measured to do where the effect of every head is known.

`bench/trials.py` draws sets of prompts of a network with planted mechanisms (backup, conjunction,
cancelling, saturated, balanced, idle, and two that add), and holds estimates to the known effect of
removing a head alone.  These are its lines `in short`, kept in `bench/figures/trials.txt`.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ON_TRIAL", "on_trial", "trial_of"]

_FIRST_ORDER = (
    "200 sets of 32 prompts: coverage 69% of 95%, power 86%, false finds 27%; bias backup -0.99 of "
    "+0.00, conjunction -0.22 of -0.78, saturated +0.33 of -0.33"
)
_INTEGRATED = (
    "200 sets of 32 prompts: coverage 71% of 95%, power 100%, false finds 27%; bias backup -0.99 "
    "of +0.00, conjunction +0.25 of -0.78"
)

ON_TRIAL: Mapping[str, str] = MappingProxyType(
    {
        "exact_patching": "200 sets of 32 prompts: coverage 96% of 95%, power 100%, false finds 2%",
        "eap": _FIRST_ORDER,
        "atp": _FIRST_ORDER,
        "atp_star": _FIRST_ORDER,
        "clean_corrupted": "200 sets of 32 prompts: coverage 68% of 95%, power 100%, false finds "
        "27%; bias backup -0.99 of +0.00, conjunction +0.25 of -0.78, saturated -0.09 of -0.33",
        "eap_ig_inputs": _INTEGRATED,
        "eap_ig_activations": _INTEGRATED,
        "mask_ig": _INTEGRATED,
        "hisp": "100 sets of 32 prompts, best ranked: power 71%, false finds 50%; misses additive "
        "of -0.25, saturated of -0.33; takes backup, balanced",
        "acdc": "40 sets of 32 prompts, best ranked: power 71%, false finds 50%; misses additive "
        "of -0.25, saturated of -0.33; takes backup, balanced",
        "subnetwork_probing": "20 sets of 32 prompts, best ranked: power 86%, false finds 25%; "
        "misses saturated of -0.33; takes balanced",
        "edge_pruning": "20 sets of 32 prompts, best ranked: power 84%, false finds 28%; misses "
        "saturated of -0.33; takes balanced",
        "information_flow": "20 sets of 32 prompts, best ranked: power 61%, false finds 69%; "
        "misses conjunction of -0.78, cancelling of +1.00; takes backup, balanced, idle",
    }
)
"""What a method of discovery was measured to do, by its name."""


def on_trial(method: str) -> str:
    """Return a sentence for an error statement.

    >>> on_trial("exact_patching")
    'on trial with planted heads, 200 sets of 32 prompts: coverage 96% of 95%, power 100%, false \
finds 2%'
    """
    return f"on trial with planted heads, {ON_TRIAL[method]}"


def trial_of(versioned: str) -> str:
    """Return the sentence for a method by its versioned name; nothing where it was not tried.

    >>> trial_of("ACDC/v1")[:40]
    'on trial with planted heads, 40 sets of '
    >>> trial_of("by hand")
    ''
    """
    name = versioned.partition("/v")[0].lower().replace("*", "_star").replace("-", "_")
    key = {"information_flow_routes": "information_flow"}.get(name, name)
    return on_trial(key) if key in ON_TRIAL else ""
