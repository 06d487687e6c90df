"""The contracts: what every event and command says. The AsyncAPI documents are made from this package, a module a noun.

Within a version fields are only added; unknown fields are ignored on reading; a new version is a new type. Times are
UTC. An `address` is normalised as `returpost.contracts.addresses` says: as written, its domain a lower-case A-label.
"""

from returpost.contracts.enums import (
    AlertKind as AlertKind,
    BlockCause as BlockCause,
    BreachKind as BreachKind,
    BreachLevel as BreachLevel,
    BreachScope as BreachScope,
    Command as Command,
    Fault as Fault,
    Kind as Kind,
    ListKind as ListKind,
    Operation as Operation,
    OperationState as OperationState,
    RawOutcome as RawOutcome,
    Reason as Reason,
    RecipientSource as RecipientSource,
    Result as Result,
    Severity as Severity,
    UnblockCause as UnblockCause,
    Validity as Validity,
    VerdictType as VerdictType,
)
from returpost.contracts.messages.address import (
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
from returpost.contracts.messages.block import (
    BlockApplied as BlockApplied,
    BlockClear as BlockClear,
    BlockCleared as BlockCleared,
    BlockSet as BlockSet,
    BlockUndo as BlockUndo,
    ImportFinished as ImportFinished,
    SettingsChanged as SettingsChanged,
)
from returpost.contracts.messages.bounce import (
    BounceClassified as BounceClassified,
    BounceReceived as BounceReceived,
    Evidence as Evidence,
    RetryRequested as RetryRequested,
    Verdict as Verdict,
)
from returpost.contracts.messages.contact import ContactChanged as ContactChanged, ContactUpsert as ContactUpsert
from returpost.contracts.messages.delivery import DeliveryRecorded as DeliveryRecorded, DeliveryResult as DeliveryResult
from returpost.contracts.messages.domain import (
    DomainBlocked as DomainBlocked,
    DomainPattern as DomainPattern,
    DomainUnblocked as DomainUnblocked,
)
from returpost.contracts.messages.fields import (
    MAX_DIAGNOSTIC as MAX_DIAGNOSTIC,
    Address as Address,
    Contract as Contract,
    Diagnostic as Diagnostic,
    EnhancedStatus as EnhancedStatus,
    Id as Id,
    Ip as Ip,
    Label as Label,
    Name as Name,
    Note as Note,
    ReplyCode as ReplyCode,
    Text as Text,
    Time as Time,
    Title as Title,
    construct_trusted as construct_trusted,
)
from returpost.contracts.messages.lists import (
    ListChanged as ListChanged,
    ListUpsert as ListUpsert,
    ProjectChanged as ProjectChanged,
    ProjectUpsert as ProjectUpsert,
    SelectionChanged as SelectionChanged,
    SelectionUpsert as SelectionUpsert,
)
from returpost.contracts.messages.mailing import (
    MailingBreached as MailingBreached,
    MailingPause as MailingPause,
    MailingResume as MailingResume,
    MailingUpsert as MailingUpsert,
)
from returpost.contracts.messages.operation import (
    Filter as Filter,
    OperationFinished as OperationFinished,
    OperationProgressed as OperationProgressed,
    OperationRequested as OperationRequested,
)
from returpost.contracts.messages.platform import (
    AlertRaised as AlertRaised,
    AlertTested as AlertTested,
    ConsumerDrained as ConsumerDrained,
    ConsumerPaused as ConsumerPaused,
    ConsumerResumed as ConsumerResumed,
    DeadLetterGroupOpened as DeadLetterGroupOpened,
    ReportDay as ReportDay,
    ReportPrepared as ReportPrepared,
    SecretExpiring as SecretExpiring,
    TokenRevoked as TokenRevoked,
)
from returpost.contracts.messages.raw_message import (
    Mention as Mention,
    ProviderPayloadProcess as ProviderPayloadProcess,
    RawMessageStore as RawMessageStore,
)
from returpost.contracts.messages.storm import StormEnded as StormEnded, StormStarted as StormStarted
from returpost.contracts.messages.suppression import (
    SubscriptionConfirmed as SubscriptionConfirmed,
    SuppressionLift as SuppressionLift,
    SuppressionSet as SuppressionSet,
)
from returpost.contracts.messages.webhook import WebhookDisabled as WebhookDisabled, WebhookTested as WebhookTested
