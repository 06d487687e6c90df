"""How the system is: services, queues with lag, dead letters in groups, replays. For operators at night."""

import asyncio
from collections.abc import Awaitable, Callable

from services.console.components.markup import Tag, link
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _
from services.console.pages.system import archive_replay
from services.console.pages.system.dead_letters import DeadLetters
from services.console.pages.system.health import Health
from services.console.pages.system.jobs import Jobs


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/system", _("System"), system, "operate")


async def system(visitor: Visitor) -> None:
    """Draw the page; each part by itself, so that one that is away hides no other.

    Who works for one tenant alone sees its dead letters; the archive is of all tenants.
    """
    t = visitor.t
    with heading(t("System"), t("Nothing is ever thrown away: what could not be processed waits here for you.")):
        link(t("Follow an event"), "/trace", "button")
    with Tag("div", "cards"):
        with Tag("section", "card"):
            Tag("h2", text=t("Services and queues"))
            place = Tag("div")
        with place:
            health = Health(visitor)
        with Tag("section", "card"):
            Tag("h2", text=t("Dead letters"))
            letters = Tag("div")
        if visitor.all_tenants:
            with Tag("section", "card"):
                Tag("h2", text=t("The archive"))
                archive = Tag("div")
        with Tag("section", "card"):
            Tag("h2", text=t("Replays"))
            replays = Tag("div")
    with replays:
        jobs = Jobs(visitor)
    with letters:
        dead = DeadLetters(visitor, jobs.show)
    if visitor.all_tenants:
        with archive:
            archive_replay.show(visitor, jobs.show)
    await asyncio.gather(
        _within(visitor, place, health.show),
        _within(visitor, letters, dead.show),
        _within(visitor, replays, jobs.show),
    )


async def _within(visitor: Visitor, place: Tag, draw: Callable[[], Awaitable[None]]) -> None:
    """Draw a part in its place beside the others; what goes wrong is said there."""
    with place, visitor.guarding():
        await draw()
