"""Verifications as runs of a ledger."""

import json
from typing import TYPE_CHECKING

from causalnet.claims.results import VerificationReport
from causalnet.claims.schema import ClaimFile
from causalnet.store import Ledger, digest_of

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["begin_run", "end_run"]


def begin_run(ledger: Ledger, file: ClaimFile, net: "LiftedNetwork", seed: int | None) -> str:
    """Note in a ledger that a claim file is being verified, and return the run's id.

    Args:
        ledger: The ledger.
        file: The claim file.
        net: Its model.
        seed: The seed in place of the file's.

    Raises:
        ParameterError: A ledger of other models.
    """
    from causalnet.claims.calls import described_model, model_digest

    source = file.source
    content = file.model_dump(mode="json", by_alias=True)
    digest = digest_of(content) if source is None else source.sha256
    model, described = model_digest(net), described_model(net)
    ledger.check_is_about(described["weights_sha256"], described["source"], digest)
    ledger.add_model(model, described)
    run_id = ledger.begin(
        "built in Python" if source is None else str(source.path),
        digest,
        {"seed": seed, "device": described["device"], "dtype": described["dtype"]},
    )
    ledger.about(run_id, model)
    return run_id


def end_run(ledger: Ledger, report: VerificationReport, *, is_out: bool) -> None:
    """Keep the report of a run.

    Args:
        ledger: The ledger.
        report: What came of the run.
        is_out: Whether the budget ran out before every claim was settled.
    """
    plain = json.dumps(report.to_json(), sort_keys=True).encode()
    ledger.end(report.run_id, plain, "out of budget" if is_out else "finished")
