"""The client library: what sending systems and CRMs import. It needs aio-pika, idna and pydantic, and nothing else."""

from returpost.client.checks import Checks as Checks
from returpost.client.feed import BlockFeed as BlockFeed, FeedPart as FeedPart
from returpost.client.held_blocks import Blocked as Blocked
from returpost.client.message_headers import MessageHeaders as MessageHeaders, headers as headers
from returpost.client.mirror import Mirror as Mirror, SyncMirror as SyncMirror
from returpost.client.publisher import Publisher as Publisher, SyncPublisher as SyncPublisher
from returpost.client.retries import RetryConsumer as RetryConsumer
from returpost.client.spool import Spool as Spool, SpoolFull as SpoolFull
from returpost.client.stream import BlockStream as BlockStream, ChangeStream as ChangeStream, Part as Part
from returpost.contracts import (
    DeliveryResult as DeliveryResult,
    MailingPause as MailingPause,
    MailingResume as MailingResume,
    RetryRequested as RetryRequested,
)
from returpost.contracts.cloudevents import Event as Event
from returpost.contracts.enums import Result as Result
from returpost.contracts.return_path import return_path as return_path
from returpost.errors import InvalidMessage as InvalidMessage, Unavailable as Unavailable
