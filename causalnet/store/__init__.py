"""What is kept on disk: arrays with labels and provenance; safetensors and JSON, never pickle.

| name | what |
|---|---|
| `Archive`, `save_archive`, `open_archive` | one file for one result |
| `Ledger` | what a model answered, call by call, and the runs of claim files |
| `RecordKey`, `Record`, `Run`, `digest_of` | what a ledger holds, and its keys |
| `user_folder` | where downloads go |
"""

from causalnet.store.archive import Archive, open_archive, save_archive
from causalnet.store.ledger import Ledger
from causalnet.store.ledger_records import Record, RecordKey, Run, digest_of
from causalnet.store.user_folder import user_folder

__all__ = [
    "Archive",
    "Ledger",
    "Record",
    "RecordKey",
    "Run",
    "digest_of",
    "open_archive",
    "save_archive",
    "user_folder",
]
