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
#   embedded/         a client of one in the same process
#   connecting.py     finds a client for one that runs elsewhere
#   doctor.py         asks the checks, without opening one
#   usual.py, late.py the public names that most programs need, and the others; imported when one is first asked for
#   cli/              the command line
#   commands.py       what the commands of plugins are made of; the second public namespace, beside this one
#   testing/          conformance suites, fakes and fixtures for plugin authors; uses public names only

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from observatory.late import *  # noqa: F403
    from observatory.usual import *  # noqa: F403
else:
    # The command line is a part of this package, and what it says of itself needs none of this, and none of Trio.

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        names = globals()
        for module in ("observatory.usual", "observatory.late"):
            found = vars(import_module(module))
            names.update((each, value) for each, value in found.items() if not each.startswith("_"))
            if name in names:
                return names[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        import observatory.late
        import observatory.usual

        return [*{**globals(), **vars(observatory.usual), **vars(observatory.late)}]
