"""OBS106."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.elsewhere import OWN
from observatory_lint.rules import writers
from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Scope
from observatory_lint.source import Call, Source
from observatory_lint.values import Raw, place_of

_MODE = re.compile(r"[rwaxbtU+|:*gzbx2]+")
_WRITING = frozenset("wax+")
_NEVER = 99  # the position of what is only given by name
_FLAGS = frozenset({"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"})
_LOG_CONFIGS = frozenset({"logging.config.dictConfig", "logging.config.dictConfigClass"})
_FILE_HANDLERS = re.compile(r"logging\.(?:handlers\.)?(?:\w*Rotating|Watched)?FileHandler")


class Writing(Rule):
    """A module that writes files itself; what it calls elsewhere is that one's business."""

    code: ClassVar[str] = "OBS106"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (ast.Call,)

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for a call that writes to a file, or makes a thing that will."""
        assert isinstance(node, ast.Call)  # noqa: S101 -- what the rule asks for
        for what in self._writes(node, scope, source):
            yield Raw(place_of(node), self.code, f"writes files: {what}; a delivery channel or a storage backend may")
            return

    def _writes(self, node: ast.Call, scope: Scope, source: Source) -> Iterator[str]:
        for call in source.calls(node, scope):
            if not (call.handed and call.origin.endswith("()")) and _writes_by(call, source):
                yield call.origin.removeprefix("builtins.")
        for function, args in [(node.func, node.args), *((arg, node.args[i + 1 :]) for i, arg in enumerate(node.args))]:
            if isinstance(function, ast.Attribute) and not source.origins(function, scope):
                call = Call("", function, args, node.keywords, scope, handed=function is not node.func)
                if _method_writes(function.attr, call, source, known=False) and _is_no_own(function, scope, source):
                    yield f"{ast.unparse(function)}" if len(function.attr) < 80 else function.attr


def _writes_by(call: Call, source: Source) -> bool:
    """Return whether a function that is known writes files with these arguments."""
    origin = call.origin
    if origin in writers.ALWAYS:
        return True
    if origin.startswith("@"):
        return any(_writes_by(call._replace(origin=base), source) for base in _inherited(origin, source))
    if origin in writers.OPENERS:
        position, default = writers.OPENERS[origin]
        files = (call.argument(0, "file"), call.argument(_NEVER, "fileobj"))
        if any(_in_memory(file, call.scope, source) for file in files):
            return False
        return _mode_writes(call, position, source, default)
    if origin == "dbm.open":
        return any(flag[:1] in {"w", "c", "n"} for flag in source.texts(call.argument(1, "flag"), call.scope).values)
    if origin == "os.open":
        return _flags_write(call, source)
    if origin in writers.DUMPERS:
        file = call.argument(writers.DUMPERS[origin], "file")
        return not _in_memory(file, call.scope, source)
    if origin == "logging.basicConfig":
        return call.argument(0, "filename") is not None
    if origin in _LOG_CONFIGS:
        return any(_names_file_handler(arg, call.scope, source) for arg in call.args)
    for path in writers.PATHS:
        if origin.startswith(f"{path}()."):
            return _method_writes(origin[len(path) + 3 :], call, source, known=True)
        if origin.startswith(f"{path}.") and call.args:  # Path.write_text(path, "text")
            return _method_writes(origin[len(path) + 1 :], call._replace(args=call.args[1:]), source, known=True)
    return False


def _inherited(origin: str, source: Source) -> Iterator[str]:
    """Return what a class of the file, or a method of its objects, is in bases of that class from elsewhere."""
    waiting = [origin]
    for here in waiting:  # grows on the way
        name, end, rest = here[1:].partition("()")
        known = source.scopes.classes.get(name)
        if not here.startswith("@"):
            yield here
        elif known and known.parent and isinstance(known.node, ast.ClassDef) and rest[1:] not in known.names:
            bases = (base for node in known.node.bases for base in source.origins(node, known.parent))
            waiting += {f"{base}{end}{rest}" for base in bases if "(" not in base}.difference(waiting)


def _method_writes(method: str, call: Call, source: Source, *, known: bool) -> bool:
    """Return whether a method of a path writes; of what may be something else, only those that nothing else has."""
    if method in {"write_text", "write_bytes"}:
        return True
    if method == "open":
        first = call.argument(0, "mode")
        return (known or _is_mode(first, call.scope, source)) and _mode_writes(call, 0, source, "r")
    return known and method in writers.PATH_METHODS


def _is_mode(node: ast.expr | None, scope: Scope, source: Source) -> bool:
    values = source.texts(node, scope).values
    return bool(values) and all(_MODE.fullmatch(value) and len(value) <= 4 for value in values)


def _mode_writes(call: Call, position: int, source: Source, default: str) -> bool:
    mode = call.argument(position, "mode")
    if mode is None:
        return not _WRITING.isdisjoint(default)
    values = source.texts(mode, call.scope).values
    return any(_MODE.fullmatch(value) and not _WRITING.isdisjoint(re.sub(r"gz|bz2|xz", "", value)) for value in values)


def _flags_write(call: Call, source: Source) -> bool:
    """Return whether the flags of `os.open` let it write: one of them is enough."""
    flags = call.argument(1, "flags")
    waiting = [] if flags is None else [(flags, call.scope)]
    seen: set[int] = set()
    while waiting:
        node, scope = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for inner, where in source.values(node, scope):
            if isinstance(inner, ast.BinOp):
                waiting += [(inner.left, where), (inner.right, where)]
            elif isinstance(inner, ast.UnaryOp):
                continue  # a flag that is taken out
            elif isinstance(inner, ast.Constant) and isinstance(inner.value, int) and inner.value & 3:
                return True
        for origin in source.origins(node, scope):
            if origin.rpartition(".")[2] in _FLAGS:
                return True
    return False


def _in_memory(file: ast.expr | None, scope: Scope, source: Source) -> bool:
    """Return whether a file is none, but a buffer."""
    origins = [origin for origin in source.origins(file, scope) if not origin.startswith((".", OWN))]
    return bool(origins) and all(origin in {"io.BytesIO()", "io.StringIO()"} for origin in origins)


def _names_file_handler(node: ast.expr, scope: Scope, source: Source) -> bool:
    for value, _ in source.values(node, scope):
        for part in ast.walk(value):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and _FILE_HANDLERS.fullmatch(part.value):
                return True
    return False


def _is_no_own(function: ast.Attribute, scope: Scope, source: Source) -> bool:
    """Return whether no class of this file has such a method: who defines one may be what is called."""
    return not any(function.attr in owner.names for owner in source.scopes.classes.values())
