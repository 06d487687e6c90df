"""Corrects one address as an operation, so that it has a history, stands among the operations, and can be undone."""

import asyncio
from uuid import uuid4

from services.console.components.shell import Visitor
from services.console.i18n import operations as words

WAIT_SECONDS, LOOKS = 0.1, 50
"""Between looks at the operation, and how many: one address takes a tenth of a second."""


async def correct(visitor: Visitor, old: str, new: str, contact: str | None) -> str:
    """Correct an address, of one person or of all who have it; return the operation's id. Raises `Trouble`."""
    api, parameters = visitor.api, {"new": new} | ({"contact": contact} if contact else {})
    body = {"operation": "correct_address", "target": {"addresses": [old]}, "parameters": parameters}
    headers = {"Idempotency-Key": str(uuid4())}
    seen = await api.call("actions", "POST", "/v1/operations", body=body, headers=headers)
    path, identity = f"/v1/operations/{seen['id']}", str(seen["id"])
    await api.call("actions", "POST", f"{path}/confirm", body={"token": seen["token"]})
    for _ in range(LOOKS):
        if (await api.get("actions", path))["state"] in words.ENDED:
            break
        await asyncio.sleep(WAIT_SECONDS)
    return identity
