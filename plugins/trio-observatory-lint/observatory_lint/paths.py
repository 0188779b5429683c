"""Origins under one name: what methods of paths give is a path again."""

from __future__ import annotations

from observatory_lint.values import words

ENTRY = "importlib.metadata.EntryPoint"
"""The class of entry points."""

_ENTRIES = (
    "importlib.metadata.entry_points()",
    "importlib_metadata.entry_points()",
    "pkg_resources.iter_entry_points()",
)
_PATHS = ("pathlib.Path", "trio.Path", "anyio.Path", "aiopath.AsyncPath")
_ALIASES = {
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
    "pathlib._local.Path": "pathlib.Path",
    "_io": "io",
    "_pickle": "pickle",
    "posix": "os",
    "nt": "os",
    "trio._path.Path": "trio.Path",
    "importlib.__import__": "builtins.__import__",
    "importlib._bootstrap._gcd_import": "importlib.import_module",
}
_SAME_CALLS = words(
    """
    absolute expanduser joinpath readlink relative_to rename replace resolve with_name with_stem with_suffix
    with_segments
    """
)
_SAME = frozenset({"parent"})
_MAKERS = frozenset({"home()", "cwd()"})
_LISTS = frozenset({"glob()", "rglob()", "iterdir()"})


def normal(origin: str) -> str:
    """Return an origin under its best known name; what a path's methods give is that kind of path."""
    origin = origin.removesuffix(".__call__")
    for alias, name in _ALIASES.items():
        if origin == alias or origin.startswith((f"{alias}.", f"{alias}(")):
            origin = name + origin[len(alias) :]
            break
    for path in _PATHS:
        if origin.startswith(f"{path}."):
            made = origin[len(path) + 1 :]
            return f"{path}()" if made in _MAKERS else origin
        if origin.startswith(f"{path}()."):
            made = origin[len(path) + 3 :]
            return f"{path}()" if made in _SAME or (made.removesuffix("()") in _SAME_CALLS and "()" in made) else origin
    return origin


def element(origin: str) -> str | None:
    """Return the origin of what a loop over something gives; None for what is not known."""
    for path in _PATHS:
        if origin.removeprefix(f"{path}().") in _LISTS:
            return f"{path}()"
    return f"{ENTRY}()" if origin.startswith(_ENTRIES) else None
