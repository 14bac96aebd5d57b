"""Claim files: reading, checking and judging them.

| name | what |
|---|---|
| `read_claim_file`, `read_claims` | text to a checked `ClaimFile`; errors show line and column |
| `ClaimFile`, `json_schema` | the schema, `schema: 1` |
| `circuit_of` | the names of a claim's circuit |
| `explain_claims` | what a claim file would run, without the model's weights |
| `verify` | a claim file to a `VerificationReport`: verdicts with their evidence |
"""

from causalnet.claims.circuits import circuit_of
from causalnet.claims.explanation import ClaimsExplanation, explain_claims
from causalnet.claims.progress import ProgressReport
from causalnet.claims.reading import read_claim_file, read_claims
from causalnet.claims.results import ClaimResult, Cost, VerificationReport
from causalnet.claims.schema import ClaimFile, json_schema
from causalnet.claims.verification import verify

__all__ = [
    "ClaimFile",
    "ClaimResult",
    "ClaimsExplanation",
    "Cost",
    "ProgressReport",
    "VerificationReport",
    "circuit_of",
    "explain_claims",
    "json_schema",
    "read_claim_file",
    "read_claims",
    "verify",
]
