"""What `causalnet why` is given: a report as JSON, or a run in a ledger."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from causalnet.claims import ClaimFile, VerificationReport, read_claim_file
from causalnet.errors import FormatError, ParameterError
from causalnet.store import Ledger

__all__ = ["Reports", "claim_file_of", "read_reports"]

_LEDGER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Reports:
    """Reports that were read, and the ledger that they were in.

    Attributes:
        reports: One for each claim file.
        ledger: The path of the ledger; None where they were in a JSON file.
    """

    reports: tuple[VerificationReport, ...]
    ledger: Path | None = None


def read_reports(run: str) -> Reports:
    """Read a run.

    Args:
        run: A file that `verify --json` or `--results` wrote; a ledger, for its last run that
            ended; or ``LEDGER#ID`` for one run of it.

    Raises:
        FormatError: There is no such file, or it is neither; the run has not ended.
        ParameterError: The ledger has no such run.
    """
    name, _, run_id = run.partition("#") if not Path(run).exists() else (run, "", "")
    path = Path(name)
    try:
        content = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise FormatError(
            f"{name!r} cannot be read: {error.strerror}.", _POSSIBLE, _WRITE
        ) from error
    if content is None:
        came = f"There is no file {name!r}." if not path.exists() else f"{name!r} is a folder."
        raise FormatError(came, _POSSIBLE, _WRITE)
    if content.startswith(_LEDGER):
        return Reports((VerificationReport.from_json(_of_ledger(path, run_id)),), path)
    if run_id:
        raise FormatError(
            f"{name!r} is no ledger, so that it has no run {run_id!r}.",
            "A run is named in a ledger: LEDGER#ID.",
            f"Write: causalnet why {name}.",
        )
    return Reports(tuple(map(VerificationReport.from_json, _of_json(name, content))))


_POSSIBLE = "A run is a JSON file that `causalnet verify` wrote, or a ledger: LEDGER or LEDGER#ID."
_WRITE = "Make one: causalnet verify FILE --results run.json, then causalnet why run.json."


def _of_json(name: str, content: bytes) -> list[Mapping[str, Any]]:
    """Return the reports in a JSON object: one, or several."""
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name!r} is no JSON: {error}.", _POSSIBLE, _WRITE) from None
    several = plain.get("reports") if isinstance(plain, dict) else None
    found = several if isinstance(several, list) and several else [plain]
    if not all(isinstance(one, dict) and one.get("report") == 1 for one in found):
        raise FormatError(f"{name!r} is JSON, but no report of claims.", _POSSIBLE, _WRITE)
    return found


def _of_ledger(path: Path, run_id: str) -> Mapping[str, Any]:
    with Ledger(path) as ledger:
        if run_id:
            return ledger.run(run_id).report()
        ended = [run for run in ledger.runs() if run.result]
        if not ended:
            begun = ", ".join(run.run_id for run in ledger.runs()) or "none"
            raise ParameterError(
                f"No run in the ledger {str(path)!r} has ended; begun: {begun}.",
                "A run is explained from its report.",
                f"Go on with it: causalnet verify FILE --resume {path}.",
            )
        return max(reversed(ended), key=lambda run: run.ended).report()


def claim_file_of(report: VerificationReport) -> tuple[ClaimFile, str]:
    """Return the claim file of a report, and a sentence where it is not the one on disk.

    The file itself is read again where it is unchanged, since files that it names lie beside it.
    """
    known = report.provenance.get("claim_file")
    path = Path(known["path"]) if known else None
    if known is None or path is None or not path.is_file():
        return report.claim_file, ""
    if sha256(path.read_bytes()).hexdigest() == known["sha256"]:
        return read_claim_file(path), ""
    return (
        report.claim_file,
        f"{str(path)!r} was changed since; what is explained is the file as it was verified.",
    )
