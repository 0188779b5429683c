"""The modules in the box keep the laws."""

from __future__ import annotations

import attrs
import pytest

from observatory import (
    Clock,
    Context,
    Mailbox,
    MailboxSettings,
    MemoryStorage,
    Module,
    ModuleFactory,
    Notes,
    NotesSettings,
    Presence,
    PresenceSettings,
    ProtocolTracker,
    TracesSettings,
    TrioClock,
)
from observatory.delivery.dead_letters import DeadLetters
from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.trail import Trail
from observatory.testing import ModuleConformance
from observatory.testing.samples import messages


class TestNotes(ModuleConformance):
    """`Notes`, in the box."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what makes it."""
        return lambda context: Notes(context, settings=NotesSettings())

    async def use(self, module: Module) -> None:
        """Write a note."""
        assert isinstance(module, Notes)
        await module.add_note("event-1", "text")

    def contents(self, module: Module) -> object:
        """Read the notes."""
        assert isinstance(module, Notes)
        return module.list_notes()


def dispatcher() -> Dispatcher:
    """Return one without lanes."""
    return Dispatcher([], DeadLetters(1), Trail(TracesSettings(), TrioClock()))


class TestMailbox(ModuleConformance):
    """`Mailbox`, in the box."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what makes it."""
        return lambda context: Mailbox(
            context,
            settings=MailboxSettings(),
            storage=MemoryStorage(),
            dispatcher=dispatcher(),
            policies={},
            recover=(),
            presence=Presence(context, settings=PresenceSettings()),
        )

    async def use(self, module: Module) -> None:
        """Send a message."""
        assert isinstance(module, Mailbox)
        await module.send_message("a", "b", "c")

    def contents(self, module: Module) -> object:
        """Read the messages."""
        assert isinstance(module, Mailbox)
        return module.get_messages("a")


class TestProtocolTracker(ModuleConformance):
    """`ProtocolTracker`, in the box."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what makes it, of a mailbox that does not run."""
        self._ways = dispatcher()

        def make(context: Context) -> Module:
            mailbox = Mailbox(
                context,
                settings=MailboxSettings(),
                storage=MemoryStorage(),
                dispatcher=self._ways,
                policies={},
                recover=(),
                presence=Presence(context, settings=PresenceSettings()),
            )
            return ProtocolTracker(context, settings=TracesSettings(), mailbox=mailbox, dispatcher=self._ways)

        return make

    async def use(self, module: Module) -> None:
        """Have a message leave a trail."""
        (message,) = messages("a")
        self._ways.trail.published(message, 1, None)

    def contents(self, module: Module) -> object:
        """Read the traces."""
        assert isinstance(module, ProtocolTracker)
        return module.get_traces()


class TestPresence(ModuleConformance):
    """`Presence`, in the box."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what makes it; the suite reads it outside of Trio, too, where only the system tells the time."""
        return lambda context: Presence(attrs.evolve(context, clock=Clock()), settings=PresenceSettings())

    async def use(self, module: Module) -> None:
        """Take a lease and give it back."""
        assert isinstance(module, Presence)
        async with module.lease("ann", "src/parser.py"):
            pass

    def contents(self, module: Module) -> object:
        """Read who is there."""
        assert isinstance(module, Presence)
        return module.list_agents()
