"""Claim files: reading, checking and judging them.

| name | what |
|---|---|
| `read_claim_file`, `read_claims` | text to a checked `ClaimFile`; errors show line and column |
| `ClaimFile`, `json_schema` | the schema, `schema: 1` |
"""

from causalnet.claims.circuits import circuit_of
from causalnet.claims.reading import read_claim_file, read_claims
from causalnet.claims.schema import ClaimFile, json_schema

__all__ = ["ClaimFile", "circuit_of", "json_schema", "read_claim_file", "read_claims"]
