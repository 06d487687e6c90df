"""Operations as their callers see them: previewed, confirmed and watched over HTTP."""

from typing import Any

import httpx

from tests.support.harness import RunningService, eventually

ENDED = ("finished", "failed", "cancelled", "undone")


async def request_preview(
    actions: RunningService, operation: str, target: dict[str, Any], **parameters: Any
) -> dict[str, Any]:
    """Return the preview of an operation."""
    body = {"operation": operation, "target": target, "parameters": parameters}
    answer = await actions.http.post("/v1/operations", json=body)
    assert answer.status_code == 201, answer.text
    seen: dict[str, Any] = answer.json()
    return seen


async def confirm(actions: RunningService, preview: dict[str, Any]) -> str:
    """Confirm a preview; return the operation's id."""
    answer = await post_action(actions, preview["id"], "confirm", token=preview["token"])
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def start_operation(actions: RunningService, operation: str, target: dict[str, Any], **parameters: Any) -> str:
    """Have an operation previewed and confirmed; return its id."""
    return await confirm(actions, await request_preview(actions, operation, target, **parameters))


async def run_operation(
    actions: RunningService, operation: str, target: dict[str, Any], **parameters: Any
) -> dict[str, Any]:
    """Have an operation done to its end; return what it is then."""
    return await wait_for_operation(
        actions, await start_operation(actions, operation, target, **parameters), state="finished"
    )


async def post_action(actions: RunningService, identity: str, what: str, **body: Any) -> httpx.Response:
    """Confirm, cancel or undo."""
    return await actions.http.post(f"/v1/operations/{identity}/{what}", json=body)


async def wait_for_operation(actions: RunningService, identity: str, **wanted: Any) -> dict[str, Any]:
    """Wait until the operation is as wanted; return it."""

    async def look() -> dict[str, Any]:
        answer = await actions.http.get(f"/v1/operations/{identity}")
        found: dict[str, Any] = answer.json()
        return found

    def accept(seen: dict[str, Any]) -> bool:
        state = seen.get("state")
        assert state == wanted.get("state") or state != "failed", seen
        return all(seen.get(name) == value for name, value in wanted.items())

    return await eventually(look, accept)


def selected(*addresses: str) -> dict[str, Any]:
    """Return addresses as a target."""
    return {"addresses": list(addresses)}
