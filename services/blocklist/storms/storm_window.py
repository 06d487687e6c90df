"""What is to be seen of storms now: this process's bounces and deliveries of the last minutes, counted in memory.

Counts here decide nothing by themselves and may be lost: what is noticed is written down, and told, as a storm.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from returpost.contracts.addresses import domain_of
from returpost.contracts.enums import Reason, StormKind
from services.blocklist.storms.domain import Limits, Suspect, Window, dominating, merged, suspects_of

MAX_SUSPECTS = 20_000
"""Of one tenant in one minute; what comes after them is not told apart."""
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """A suspect that dominates a tenant's bounces now."""

    tenant: str
    suspect: Suspect
    begun: datetime
    count: int
    bounces: int


class StormWindow:
    """Counts by tenant and minute."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime]) -> None:
        self.limits = limits
        self._clock = clock
        self._minutes: dict[tuple[str, int], Window] = defaultdict(Window)

    def bounced(self, tenant: str, address: str, reason: Reason, ip: str | None, time: datetime) -> None:
        """Count a bounce that was not known before; an old one says nothing of now."""
        if reason is Reason.COMPLAINT or time <= self._oldest():
            return
        window = self._minutes[tenant, _minute(time)]
        window.bounces += 1
        whose = suspects_of(reason, domain_of(address), ip)
        if whose in window.by or len(window.by) < MAX_SUSPECTS:
            window.by[whose] = window.by.get(whose, 0) + 1

    def delivered(self, arrived: Iterable[tuple[str, str, str | None, datetime]]) -> None:
        """Count deliveries: tenant, address, sending host and time of each."""
        oldest = self._oldest()
        for tenant, address, ip, time in arrived:
            if time > oldest:
                counts = self._minutes[tenant, _minute(time)].delivered
                domain = Suspect(StormKind.DOMAIN, domain_of(address))
                counts[domain] = counts.get(domain, 0) + 1
                if ip:
                    host = Suspect(StormKind.IP, ip)
                    counts[host] = counts.get(host, 0) + 1

    def seen(self, ongoing: Mapping[str, AbstractSet[Suspect]]) -> list[Seen]:
        """Return what dominates now, and forget what is too old; `ongoing` are the storms of each tenant."""
        oldest = _minute(self._oldest())
        for key in [key for key in self._minutes if key[1] < oldest]:
            del self._minutes[key]
        by_tenant: dict[str, list[tuple[int, Window]]] = defaultdict(list)
        for (tenant, minute), window in self._minutes.items():
            by_tenant[tenant].append((minute, window))
        return [one for tenant, windows in by_tenant.items() for one in self._seen(tenant, windows, ongoing)]

    def _seen(
        self, tenant: str, windows: list[tuple[int, Window]], ongoing: Mapping[str, AbstractSet[Suspect]]
    ) -> Iterable[Seen]:
        if sum(window.bounces for _, window in windows) < self.limits.bounces:
            return
        whole = merged([window for _, window in windows])
        for one in dominating(whole, self.limits, ongoing.get(tenant, frozenset())):
            first = min(minute for minute, window in windows if any(one.suspect in whose for whose in window.by))
            begun = datetime.fromtimestamp(first * MINUTE, UTC)
            yield Seen(tenant, one.suspect, begun, one.count, one.bounces)

    def _oldest(self) -> datetime:
        return self._clock() - self.limits.window


def _minute(time: datetime) -> int:
    return int(time.timestamp()) // MINUTE
