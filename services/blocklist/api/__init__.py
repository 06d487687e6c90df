"""HTTP: whom to skip, who is blocked and why, block and clear by hand, the tenant's settings."""

from fastapi import APIRouter

from services.blocklist.api import addresses, blocks, check, commands, lists, operations, snapshot, tenant_settings

router = APIRouter(prefix="/v1", tags=["blocklist"])
for part in (check, snapshot, lists, blocks, commands, addresses, tenant_settings, operations):
    router.include_router(part.router)
