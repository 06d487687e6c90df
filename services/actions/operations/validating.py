"""The new address of a correction is checked by ingest, with the caller's own token, before anything is frozen.

What checks addresses (DNS, its cache, lists of slips) lives in ingest; services meet by HTTP. When ingest is away the
correction goes on, and the preview says that nothing but the syntax was checked.
"""

from typing import Any

import httpx

from returpost.contracts import Validity

PATIENCE = 10.0
"""Seconds; ingest gives up on DNS before that."""
AWAY = {
    "validity": Validity.UNKNOWN,
    "reason": "not_checked",
    "problem": "it could not be checked now; its syntax is good",
}


async def look(http: httpx.AsyncClient, authorization: str, address: str) -> dict[str, Any]:
    """Return what ingest finds of an address: `validity`, `reason`, `problem`, `suggestion`, `role`, `disposable`."""
    try:
        answer = await http.post(
            "/v1/validate", json={"addresses": [address]}, headers={"Authorization": authorization}, timeout=PATIENCE
        )
        (found,) = answer.raise_for_status().json()["results"]
        Validity(found["validity"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return AWAY | {"address": address, "suggestion": None}
    return {name: value for name, value in found.items() if name != "given"}


def refused(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return why an address is not to be put in, as errors of a problem; nothing when it may be."""
    if found["validity"] != Validity.INVALID:
        return []
    return [{"field": "body.parameters.new", "problem": found["problem"], "suggestion": found["suggestion"]}]
