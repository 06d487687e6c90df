"""HTTP: whom to skip, who is blocked and why, block and clear by hand, the tenant's settings."""

from fastapi import APIRouter

from services.blocklist.api import (
    addresses,
    blocks,
    check,
    commands,
    corrections,
    erasures,
    lists,
    operations,
    reconciliation,
    snapshot,
    storms,
    tenant_settings,
    webhook_log,
    webhooks,
)

router = APIRouter(prefix="/v1", tags=["blocklist"])
for part in (check, snapshot, lists, corrections, erasures, reconciliation, blocks, commands):
    router.include_router(part.router)
for part in (addresses, tenant_settings, operations, storms, webhook_log, webhooks):
    router.include_router(part.router)
