"""A tenant changes its policy: the change takes hold at once for what comes in, and soon for all that is there."""

from datetime import datetime

from returpost.contracts import SettingsChanged, ids
from returpost.errors import InvalidMessage, ReturpostError
from services.blocklist.address_state.events import SOURCE, new_event
from services.blocklist.jobs import repository as jobs
from services.blocklist.jobs.domain import JobKind, JobParameters, JobRequest
from services.blocklist.tenant_settings import repository
from services.blocklist.tenant_settings.changes import SettingsChange, apply_change, differences
from services.blocklist.tenant_settings.domain import Policy
from services.blocklist.tenant_settings.repository import Author
from shared.messaging.unit_of_work import UnitOfWork


class VersionConflict(ReturpostError):
    """The settings no longer have the version that was to be changed."""


async def save(
    work: UnitOfWork,
    tenant: str,
    change: SettingsChange,
    by: str,
    now: datetime,
    *,
    note: str = "",
    version: int | None = None,
) -> None:
    """Save a change, publish it, and have all addresses of the tenant evaluated again.

    Raises `InvalidMessage`; and `VersionConflict` when `version` is given and is not the one that is in force.
    """
    interrupted = await _begin(work, tenant, now)
    before, last = await repository.current(work.connection, tenant)
    if version not in (None, last):
        raise VersionConflict(f"the settings have version {last} by now, not {version}; look again")
    await _write(work, tenant, before, apply_change(before, change), last + 1, Author(by, note, now), interrupted)


async def restore(work: UnitOfWork, tenant: str, version: int | None, by: str, now: datetime) -> None:
    """Put the settings of an earlier version in force again (none named: of the one before), as a new version.

    Raises `InvalidMessage` when there is no such version.
    """
    interrupted = await _begin(work, tenant, now)
    before, last = await repository.current(work.connection, tenant)
    wanted = last - 1 if version is None else version
    policy = await repository.of_version(work.connection, tenant, wanted)
    if policy is None and (wanted != 0 or last == 0):
        raise InvalidMessage(f"version: there is no version {wanted} of these settings")
    author = Author(by, f"as in version {wanted}", now)
    await _write(work, tenant, before, policy or Policy(), last + 1, author, interrupted)


async def _begin(work: UnitOfWork, tenant: str, now: datetime) -> bool:
    """Be the only one that changes these settings; return whether the last change had not been applied everywhere."""
    # First the jobs: who works on one holds it while it waits for the settings.
    interrupted = await jobs.supersede(work.connection, tenant, JobKind.SETTINGS, now)
    await repository.lock(work.connection, tenant)
    return interrupted


async def _write(
    work: UnitOfWork, tenant: str, before: Policy, after: Policy, version: int, author: Author, interrupted: bool
) -> None:
    if after == before and not interrupted:
        return
    cause = ids.of_input(tenant, f"{SOURCE}/settings", str(version))
    if after == before:
        version -= 1
        cause = ids.of_content("settings again", tenant, version, author.time)
    else:
        await repository.save(work.connection, tenant, version, after, author)
        for n, name, old, new in differences(before, after):
            changed = SettingsChanged(name=name, old=old, new=new or "", time=author.time, by=author.by)
            work.emit(new_event(changed, id=ids.derived(cause, SettingsChanged.TYPE, n), tenant=tenant))
    request = JobRequest(
        cause, tenant, JobKind.SETTINGS, JobParameters(version=version), author.by, author.note, author.time
    )
    await jobs.add(work.connection, request)
