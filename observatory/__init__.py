# The house, from the ground up. Imports run up this list only.
#   makers.py         makes values quickly of which every message takes one
#   messages.py       the values that travel: frozen, without behaviour
#   entries.py        what a storage backend keeps
#   jobs.py           what a delivery channel is asked to do, and what it answers
#   errors/           every error, one tree
#   backoff.py        how long to wait before trying again
#   garbage.py        puts off Python's search for it
#   arguments.py      what programs hand over and ask for, checked
#   kinds.py          kinds of values: their names, and how one is taken strictly
#   wire.py, clock.py JSON shapes; wall time
#   validators.py     what settings may be
#   schemas.py        JSON Schema of kinds of values
#   traces.py         the way of messages, as values
#   problems.py       what is wrong with a file, as a value
#   asgi.py           what servers of HTTP call
#   swarm/            the tasks of a swarm, what is known of them, and what reads and writes them
#   settings/         frozen settings from observatory.toml and OBSERVATORY_* variables
#   security.py       tokens, identities, Host and Origin: one layer for every door
#   operations.py     typed functions, offered to clients who speak JSON
#   service_file.py   tells clients of a service that runs on a root
#   doors.py          what every service does that lets clients in
#   presence/         who is there, and who holds what
#   event_log.py, subscriptions.py, pubsub.py   topics: their events, who reads them, who publishes
#   overview.py       what an Observatory tells of itself as a whole
#   skills.py         where skills come from
#   abc.py            the extension points and their laws
#   checks.py         one more: what the doctor asks
#   rounds.py, script_check.py    checks that are asked in their time; programs that are checks
#   lookup.py         finds a part by its class or name
#   client.py         and one more: an Observatory as it can be reached from outside
#   registrar.py, hookspecs.py    what plugins implement, and what their hooks are handed
#   supervisor.py     runs children, and runs them again
#   delivery/         from the table to the delivery channels
#   modules/          the ephemeral modules: Mailbox, SwarmMonitor, ProtocolTracker, Notes, Presence
#   plugins.py        finds plugins and asks them
#   channels/, storage/           what is in the box for both extension points
#   sources/          files that hold the tasks of a swarm
#   health_checks.py  the checks in the box
#   in_the_box.py     registers all that, as a plugin does
#   application.py    puts an Observatory together
#   lifecycle.py      opens and closes one
#   unopened.py       parts of plugins, without an Observatory that is open
#   embedded.py       a client of one in the same process
#   connecting.py     finds a client for one that runs elsewhere
#   doctor.py         asks the checks, without opening one
#   late.py           the public names that are imported when one of them is first asked for
#   cli/              the command line
#   commands.py       what the commands of plugins are made of; the second public namespace, beside this one
#   testing/          conformance suites, fakes and fixtures for plugin authors; uses public names only

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from observatory.late import *  # noqa: F403
else:

    def _complete() -> dict[str, Any]:
        import observatory.late

        names = globals()
        names.update((name, value) for name, value in vars(observatory.late).items() if not name.startswith("_"))
        return names

    def __getattr__(name: str) -> Any:
        try:
            return _complete()[name]
        except KeyError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None

    def __dir__() -> list[str]:
        return list(_complete())
