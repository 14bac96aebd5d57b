"""The user's own folder for what takes long to make: converted models, trained ones."""

import os
from pathlib import Path

__all__ = ["user_folder"]


def user_folder() -> Path:
    """Return the folder for what is made once and kept, which need not exist.

    It is `CAUSALNET_CACHE`, else `XDG_CACHE_HOME/causalnet`, else `~/.cache/causalnet`.

    >>> user_folder().is_absolute()
    True
    """
    own = os.environ.get("CAUSALNET_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    general = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(general).absolute() / "causalnet"
