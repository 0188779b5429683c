"""The public names of `observatory` that most programs and plugins need: imported when any name is first asked for."""

from observatory.abc import (
    Adopt as Adopt,
    ChannelFactory as ChannelFactory,
    CommandFactory as CommandFactory,
    Context as Context,
    DeliveryChannel as DeliveryChannel,
    Gone as Gone,
    Module as Module,
    ModuleFactory as ModuleFactory,
    Policy as Policy,
    RouteFactory as RouteFactory,
    Service as Service,
    ServiceFactory as ServiceFactory,
    SkillSourceFactory as SkillSourceFactory,
    StorageBackend as StorageBackend,
    StorageFactory as StorageFactory,
)
from observatory.asgi import Asgi as Asgi, AsgiApp as AsgiApp
from observatory.checks import Check as Check, CheckFactory as CheckFactory, Finding as Finding, quoted as quoted
from observatory.clock import Clock as Clock, TrioClock as TrioClock
from observatory.errors import (
    CanonicalNameError as CanonicalNameError,
    ChangedMeanwhileError as ChangedMeanwhileError,
    ClosedError as ClosedError,
    DeliveryError as DeliveryError,
    DuplicateNameError as DuplicateNameError,
    EssentialChildError as EssentialChildError,
    ForbiddenError as ForbiddenError,
    IdempotencyError as IdempotencyError,
    InvalidInputError as InvalidInputError,
    LeaseLimitError as LeaseLimitError,
    LeaseLostError as LeaseLostError,
    LeaseTakenError as LeaseTakenError,
    MailboxFullError as MailboxFullError,
    NoActiveProjectError as NoActiveProjectError,
    ObservatoryError as ObservatoryError,
    OutcomeUnknownError as OutcomeUnknownError,
    PluginError as PluginError,
    PolicyRefusedError as PolicyRefusedError,
    RateLimitError as RateLimitError,
    RootError as RootError,
    ServiceRunningError as ServiceRunningError,
    SettingsError as SettingsError,
    SkillSourceError as SkillSourceError,
    StorageError as StorageError,
    SubscriptionOverflowError as SubscriptionOverflowError,
    SwarmSourceError as SwarmSourceError,
    TaskRefusedError as TaskRefusedError,
    UnauthorizedError as UnauthorizedError,
    UnknownMessageError as UnknownMessageError,
    UnknownNameError as UnknownNameError,
    UnknownRecipientError as UnknownRecipientError,
    UnreachableError as UnreachableError,
)
from observatory.hookspecs import hookimpl as hookimpl
from observatory.jobs import (
    Done as Done,
    Dropped as Dropped,
    Failed as Failed,
    Job as Job,
    Outcome as Outcome,
    Post as Post,
    Retraction as Retraction,
    Skipped as Skipped,
)
from observatory.messages import (
    MESSAGE_OVERHEAD as MESSAGE_OVERHEAD,
    ChildHealth as ChildHealth,
    DeadLetter as DeadLetter,
    Delivery as Delivery,
    DeliveryRecord as DeliveryRecord,
    DeliveryState as DeliveryState,
    Draft as Draft,
    Durability as Durability,
    Event as Event,
    Gap as Gap,
    Health as Health,
    HookEvent as HookEvent,
    MailboxCleared as MailboxCleared,
    MailboxStats as MailboxStats,
    MailboxTotals as MailboxTotals,
    Message as Message,
    MessagesExpired as MessagesExpired,
    MessagesRead as MessagesRead,
    Metadata as Metadata,
    Note as Note,
    NoteDeleted as NoteDeleted,
    Receipt as Receipt,
)
from observatory.overview import (
    LaneStatistics as LaneStatistics,
    Overview as Overview,
    PluginInfo as PluginInfo,
    Statistics as Statistics,
)
from observatory.pubsub import PubSub as PubSub, PubSubStatistics as PubSubStatistics
from observatory.registrar import Registrar as Registrar
from observatory.security import Identity as Identity, Security as Security, token_for as token_for
from observatory.settings import (
    DeliverySettings as DeliverySettings,
    MailboxSettings as MailboxSettings,
    NotesSettings as NotesSettings,
    PresenceSettings as PresenceSettings,
    PubSubSettings as PubSubSettings,
    SecuritySettings as SecuritySettings,
    Settings as Settings,
    StorageSettings as StorageSettings,
    SupervisionSettings as SupervisionSettings,
    SwarmSettings as SwarmSettings,
    TracesSettings as TracesSettings,
    load_settings as load_settings,
)
from observatory.subscriptions import (
    Backlog as Backlog,
    Subscription as Subscription,
    SubscriptionStatistics as SubscriptionStatistics,
    WhenFull as WhenFull,
)
from observatory.wire import (
    error_from_wire as error_from_wire,
    error_to_wire as error_to_wire,
    from_wire as from_wire,
    to_wire as to_wire,
)
