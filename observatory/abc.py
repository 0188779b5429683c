"""The extension points: what a plugin may implement, and the laws that hold for it.

`observatory.testing` holds a conformance suite for each; every law below is one of its tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar, overload

import attrs
import trio

from observatory.arguments import pick
from observatory.asgi import AsgiApp
from observatory.clock import Clock
from observatory.jobs import Job, Outcome
from observatory.messages import Draft, Durability, Message
from observatory.overview import Overview
from observatory.pubsub import PubSub
from observatory.security import Security
from observatory.settings import MailboxSettings

if TYPE_CHECKING:
    from cyclopts import App

    from observatory.entries import Entry, Stored
    from observatory.service_file import ServiceFile
    from observatory.skills import SkillSource

ModuleT = TypeVar("ModuleT", bound="Module")
ServiceT = TypeVar("ServiceT", bound="Service")
ChannelT = TypeVar("ChannelT", bound="DeliveryChannel")


@attrs.frozen(eq=False)
class Context:
    """What Observatory hands to whatever a plugin registers."""

    root: Path
    """The root directory; it exists and can be written."""
    clock: Clock
    """Wall time. Use it instead of `datetime.now`, so that tests can move it."""
    pubsub: PubSub
    """Topics and subscriptions of this Observatory."""
    settings: Any
    """The plugin's own settings: an instance of its `settings_class`, or None."""
    modules: Mapping[str, Module]
    """Every module by name; complete once Observatory is open."""
    services: Mapping[str, Service]
    """Every service by name; complete once Observatory is open."""
    bounds: MailboxSettings = attrs.field(factory=MailboxSettings)
    """What mailboxes may hold."""
    security: Security = attrs.field(factory=Security)
    """Tokens, identities, Host and Origin: what every door asks."""
    observatory: Overview | None = None
    """The Observatory that all this is part of; None where none is open, as for a check."""
    skill_sources: Mapping[str, SkillSource] = attrs.field(factory=dict)
    """Every source of skills by name; complete once services are made."""
    routes: Mapping[str, AsgiApp] = attrs.field(factory=dict)
    """What plugins have served below `/NAME`, by name; complete once services are made."""
    service_file: ServiceFile | None = None
    """Tells clients where doors are: all doors of an Observatory share one. None where none is open."""

    @overload
    def module(self, which: type[ModuleT]) -> ModuleT: ...
    @overload
    def module(self, which: str) -> Any: ...
    def module(self, which: type[Any] | str) -> Any:
        """Return the running module of that class, or of the name it was registered under.

        Raises:
            InvalidInputError: it is neither a name nor a class of modules.
            UnknownNameError: when none is registered.
        """
        return pick("module", Module, self.modules, which)

    @overload
    def service(self, which: type[ServiceT]) -> ServiceT: ...
    @overload
    def service(self, which: str) -> Any: ...
    def service(self, which: type[Any] | str) -> Any:
        """Return the running service of that class, or of the name it was registered under.

        Raises:
            InvalidInputError: it is neither a name nor a class of services.
            UnknownNameError: when none is registered.
        """
        return pick("service", Service, self.services, which)


class StorageBackend(ABC):
    """The log of entries behind the table.

    Laws:
        - `append` commits the whole batch or nothing, and raises `StorageError` when it could not.
        - It returns one number for each `Message` and each `Sent` of the batch, in order: per recipient counted from 1,
          increasing, never used again, not even after everything was cleared.
        - `replay` gives exactly the messages that are live (neither expired nor cleared), per recipient in the
          order of their numbers, each with `read` as it was left, and may be called at any time.
        - After the messages, `replay` gives every idempotency key, every delivery record and every retraction that was
          not forgotten, and every dead letter that was not settled, each kind in the order of commits.
        - A cancelled `append` has committed everything or nothing.
        - After `aclose` and `start`, a backend whose `durability` is not `memory` replays the same.
    """

    durability: ClassVar[Durability] = "memory"
    """What a committed batch survives."""

    async def start(self) -> None:
        """Open what the backend needs. Called once before anything else, and again after `aclose`."""
        await trio.lowlevel.checkpoint()

    @abstractmethod
    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit a batch and return the numbers of its messages.

        Raises:
            StorageError: when nothing was committed.
        """

    @abstractmethod
    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Hand everything that is live to `apply`, in batches of the backend's choice."""

    async def compact(self) -> None:
        """Give back the room of what is no longer live. Called after a cleanup, and beside `append`.

        Raises:
            StorageError: when it could not; nothing is lost, and the next cleanup tries again.
        """
        await trio.lowlevel.checkpoint()

    async def flush(self) -> None:
        """Make everything that was committed as durable as promised. Called at shutdown."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Give everything back."""
        await trio.lowlevel.checkpoint()


Adopt: TypeAlias = Callable[[Sequence[Message]], Awaitable[None]]
"""What `DeliveryChannel.recover` and `watch` hand the messages they find to."""

Gone: TypeAlias = Callable[[str, Sequence[str]], Awaitable[None]]
"""What `DeliveryChannel.watch` tells of messages that others have taken: the recipient, and the ids."""


class DeliveryChannel(ABC):
    """A way out of Observatory: files, sockets, a log. Its lane calls it, one call at a time.

    Laws:
        - `deliver` returns one outcome for each job of the batch, in order, and raises nothing for what can go
          wrong with a single job. An exception counts as a failure of the whole batch.
        - Jobs of one recipient are carried out in the order given. After a post that failed and may be tried again,
          later jobs of that recipient in the batch are not tried and fail with the same error.
        - A post that is delivered again under the same id is there once.
        - Retracting what is not there is `Done`.
        - An outcome never claims more than was done.
        - A cancelled `deliver` leaves nothing half delivered.
        - `recover` finds delivered messages that nobody acknowledged, oldest first per recipient.
    """

    recovers: ClassVar[bool] = False
    """Whether `recover` can find messages that an earlier process delivered and nobody acknowledged."""

    watches: bool = False
    """Whether `watch` can tell what other processes deliver to the same place, and take from it."""

    async def start(self) -> None:
        """Open what the delivery channel needs. Called before the first batch, and again when it has failed itself."""
        await trio.lowlevel.checkpoint()

    @abstractmethod
    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Carry out a batch of jobs."""

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Find delivered messages that nobody acknowledged, oldest first per recipient.

        Args:
            agents: whose; None for everybody's.
            adopt: takes a batch; when it returns, the batch is in the table or counted as left behind.
        """
        raise NotImplementedError(f"{type(self).__name__} does not recover")

    async def watch(
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell what other processes deliver to the same place, and take from it, until cancelled.

        Runs beside `deliver`, after `recover`; when it fails it is started again.

        Args:
            adopt: takes a batch of messages that others have delivered; one that is known already is ignored.
            gone: takes messages that others have taken away: they count as acknowledged.
            task_status: told once nothing is missed any more.
        """
        raise NotImplementedError(f"{type(self).__name__} does not watch")

    def statistics(self) -> Mapping[str, Any]:
        """Return the delivery channel's own figures, as JSON can hold them."""
        return {}

    async def aclose(self) -> None:
        """Give everything back."""
        await trio.lowlevel.checkpoint()


class Module(ABC):
    """An ephemeral module: a task that owns a table in memory, and a client API of plain methods.

    Laws:
        - The table is made in `__init__`, which starts and opens nothing.
        - `run` calls `task_status.started()` once it is ready, and runs until it is cancelled.
        - `run` may be called again after it failed; the table and waiting requests are still there.
        - It follows the plain-module rule: no database, no writing of files, at most 300 lines.
        - What it exposes are public methods with a docstring, of each of which an `Operation` can be made.
    """

    essential: ClassVar[bool] = False
    """Whether Observatory must end when this module has failed for good."""

    exposes: ClassVar[Collection[str]] = ()
    """Names of methods that doors offer to clients as `modules.call`. Their parameters and results are values that JSON
    can hold. One that has a parameter `identity: Identity | None = None` is told who asks, and clients cannot give it;
    None stands for the program itself."""

    @abstractmethod
    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the table until cancelled."""


class Service(ABC):
    """A long-running part, such as a server on a socket.

    Laws:
        - `run` calls `task_status.started()` once it serves, and runs until it is cancelled.
        - `run` may be called again after it failed.
        - Cancelling `run` gives back everything: sockets, files, tasks.
        - What it exposes are public methods with a docstring, of each of which an `Operation` can be made.
    """

    essential: ClassVar[bool] = False
    """Whether Observatory must end when this service has failed for good."""

    exposes: ClassVar[Collection[str]] = ()
    """Names of methods that doors offer to clients as `services.call`: what is said of `Module.exposes` holds for them,
    too. They can be called while `run` does not run."""

    @abstractmethod
    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""

    def statistics(self) -> Mapping[str, Any]:
        """Return the service's own figures, as JSON can hold them.

        Of two keys the command line makes something. Each may be left out, and what does not fit is passed over:

        - `url`: a string: where its door is, or null while it is closed. `observatory serve` tells of it.
        - `clients`: a list: an object for each connection, which `observatory status` lists. In it `identity` is the
          agent that it acts as, or null; `owner` whether it may act as anybody; `requests` how many it has made;
          `subscriptions` how many it holds; `full` whether it has no room for what comes. Each may be left out.
        """
        return {}


Policy: TypeAlias = Callable[[Draft], Draft]
"""Asked on every send, in the order of registration: returns the draft, or a changed one.

Laws:
    - It refuses with `PolicyRefusedError`, and nothing has happened.
    - It is a plain function: it does not wait, and the same draft gives the same answer.
    - It accepts its own answer: asking again changes nothing more.
"""

RouteFactory: TypeAlias = Callable[[Context], AsgiApp]
"""Makes what is served at `/NAME`: an application for requests, whose scopes have the type `http`.

Who asks is the `Identity` in `scope["state"]["identity"]`; nothing else in a request tells that. What has to run for
longer than a request is a `Service`.

Laws:
    - It answers every request, and raises nothing for what a client can do.
    - A request that is cancelled leaves nothing behind.
"""

StorageFactory: TypeAlias = Callable[[Context], StorageBackend]
ChannelFactory: TypeAlias = Callable[[Context], DeliveryChannel]
ModuleFactory: TypeAlias = Callable[[Context], Module]
ServiceFactory: TypeAlias = Callable[[Context], Service]
SkillSourceFactory: TypeAlias = "Callable[[Context], SkillSource]"

CommandFactory: TypeAlias = "Callable[[], App]"
"""Makes a group of the command line, a `cyclopts.App`; what that needs is imported when it is called."""
