"""The contracts: what every event and command says. The AsyncAPI documents are made from this package, a module a noun.

Within a version fields are only added; unknown fields are ignored on reading; a new version is a new type. Times are
UTC. An `address` is normalised as `shared.addresses` says: as written, its domain a lower-case A-label.
"""

from shared.contracts.address import (
    AddressBlocked as AddressBlocked,
    AddressCheck as AddressCheck,
    AddressCorrect as AddressCorrect,
    AddressCorrected as AddressCorrected,
    AddressErase as AddressErase,
    AddressErased as AddressErased,
    AddressUnblocked as AddressUnblocked,
    AddressValidate as AddressValidate,
    AddressValidated as AddressValidated,
    Correction as Correction,
)
from shared.contracts.block import (
    BlockApplied as BlockApplied,
    BlockClear as BlockClear,
    BlockCleared as BlockCleared,
    BlockSet as BlockSet,
    BlockUndo as BlockUndo,
    SettingsChanged as SettingsChanged,
)
from shared.contracts.bounce import (
    BounceClassified as BounceClassified,
    BounceReceived as BounceReceived,
    Evidence as Evidence,
    RetryRequested as RetryRequested,
    Verdict as Verdict,
)
from shared.contracts.contact import ContactChanged as ContactChanged, ContactUpserted as ContactUpserted
from shared.contracts.delivery import DeliveryRecorded as DeliveryRecorded, DeliveryResult as DeliveryResult
from shared.contracts.fields import (
    MAX_DIAGNOSTIC as MAX_DIAGNOSTIC,
    Address as Address,
    Contract as Contract,
    Diagnostic as Diagnostic,
    EnhancedStatus as EnhancedStatus,
    Id as Id,
    Ip as Ip,
    Label as Label,
    Name as Name,
    ReplyCode as ReplyCode,
    Text as Text,
    Time as Time,
    made as made,
)
from shared.contracts.lists import (
    ListChanged as ListChanged,
    ListUpserted as ListUpserted,
    ProjectChanged as ProjectChanged,
    ProjectUpserted as ProjectUpserted,
    SelectionChanged as SelectionChanged,
    SelectionUpserted as SelectionUpserted,
)
from shared.contracts.mailing import MailingUpserted as MailingUpserted
from shared.contracts.operation import (
    Filter as Filter,
    OperationFinished as OperationFinished,
    OperationProgressed as OperationProgressed,
    OperationRequested as OperationRequested,
)
from shared.contracts.raw_report import (
    Mention as Mention,
    ProviderTold as ProviderTold,
    RawReportKeep as RawReportKeep,
)
from shared.contracts.storm import StormBegun as StormBegun, StormEnded as StormEnded
from shared.contracts.token import TokenRevoked as TokenRevoked
from shared.contracts.webhook import WebhookDisabled as WebhookDisabled, WebhookTested as WebhookTested
from shared.vocabulary import (
    BlockCause as BlockCause,
    Command as Command,
    Fault as Fault,
    Kind as Kind,
    ListKind as ListKind,
    Operation as Operation,
    OperationState as OperationState,
    RawOutcome as RawOutcome,
    Reason as Reason,
    Result as Result,
    UnblockCause as UnblockCause,
    Validity as Validity,
    VerdictType as VerdictType,
)
