"""One file for a result: arrays, labels and provenance; safetensors and JSON, never pickle."""

from causalnet.store.archive import Archive, open_archive, save_archive
from causalnet.store.user_folder import user_folder

__all__ = ["Archive", "open_archive", "save_archive", "user_folder"]
