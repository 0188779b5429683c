"""What tests of skills share: folders of skills, a source in memory, and registries that run."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
from observatory_skills import SkillRegistry

from observatory import SKILL_FILE, Problem, SkillFile, SkillScope, SkillSource, SkillSourceError, UnknownNameError


class Skills:
    """A folder that skills are written into."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, folder: str, fields: str | None = None, *, body: str = "# Body\n") -> Path:
        """Write a skill of its fields, by default a valid one, and return its SKILL.md."""
        fields = f"name: {folder}\ndescription: What it does.\n" if fields is None else fields
        return self.write_bytes(folder, f"---\n{fields}---\n{body}".encode())

    def write_bytes(self, folder: str, content: bytes, name: str = "SKILL.md") -> Path:
        """Write a SKILL.md as it is, and return its path."""
        file = self.root / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file


@pytest.fixture
def skills(tmp_path: Path) -> Skills:
    """Return an empty folder for skills."""
    return Skills(tmp_path / "skills")


class Shelf(SkillSource):
    """A source in memory that does what a test wants.

    Attributes:
        texts: what stands in each SKILL.md, by the name of the folder.
        scope: whose they are.
        fault: why nothing can be told.
        looked: how often somebody has looked at everything.
        looked_at: what else somebody has looked at.
        changed: what tells of changes, while somebody watches.
    """

    def __init__(self, *names: str, scope: SkillScope = "user", where: str = "shelf") -> None:
        self.texts: dict[str, bytes] = {}
        self.scope = scope
        self.where = where
        self.fault: str | None = None
        self.looked = 0
        self.looked_at: list[str] = []
        self.changed: Callable[..., None] | None = None
        for name in names:
            self.put(name)

    def put(self, name: str, description: str = "Does something.", body: str = "") -> None:
        """Put a skill there."""
        self.texts[name] = f"---\nname: {name}\ndescription: {description}\n---\n{body}".encode()

    def put_all(self, names: Sequence[str], description: str) -> None:
        """Put skills there, all of which say the same."""
        for name in names:
            self.put(name, description)

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Look at all of them."""
        await trio.lowlevel.checkpoint()
        self.looked += 1
        if self.fault is not None:
            raise SkillSourceError(self.where, self.fault)
        before = {file.folder: file for file in known}
        return [self._look(name, text, before.get(name)) for name, text in self.texts.items()]

    def _look(self, name: str, text: bytes, before: SkillFile | None) -> SkillFile:
        if before is not None and before.stamp == text:
            return before
        return SkillFile(name, f"{self.where}/{name}", text, self.scope, stamp=text)

    async def load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        """Look at those."""
        await trio.lowlevel.checkpoint()
        self.looked_at += sorted(paths)
        if self.fault is not None:
            raise SkillSourceError(self.where, self.fault)
        return [
            self._look(one.folder, self.texts[one.folder], one)
            if isinstance(one, SkillFile) and one.folder in paths
            else one
            for one in known
        ]

    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Have one."""
        await trio.lowlevel.checkpoint()
        return ["forms.md"]

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Return what stands there."""
        await trio.lowlevel.checkpoint()
        files = {SKILL_FILE: self.texts[skill.folder], "forms.md": b"# Forms\n", "picture.png": b"\xff\x00"}
        if path not in files:
            raise UnknownNameError("resource", path, files)
        return files[path]

    async def watch(
        self, changed: Callable[..., None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Let tests tell of changes."""
        self.changed = changed
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self.changed = None

    def tell(self, *names: str) -> None:
        """Tell of a change, of these or of anything."""
        assert self.changed is not None, "nobody watches"
        self.changed(*names)


@pytest.fixture
def shelf_of() -> type[Shelf]:
    """Return what makes a source of skills with these names."""
    return Shelf


Running: TypeAlias = Callable[..., AbstractAsyncContextManager[SkillRegistry]]


@pytest.fixture
def running() -> Running:
    """Return what runs a registry for the time of a block."""

    @asynccontextmanager
    async def run(*sources: SkillSource, **settings: Any) -> AsyncIterator[SkillRegistry]:
        registry = SkillRegistry(sources={f"source{n}": source for n, source in enumerate(sources)}, **settings)
        async with trio.open_nursery() as nursery:
            await nursery.start(registry.run)
            yield registry
            nursery.cancel_scope.cancel()

    return run


class Folders:
    """What is in folders, as a whole."""

    def make(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Write files into a folder."""
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)

    def everything(self, folder: Path) -> dict[str, bytes | None]:
        """Return all that is in a folder, by path; None for what is no file."""
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
            for path in sorted(folder.rglob("*"))
        }

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no file become larger than 50 kB, as if the disk was full."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session")
def folders() -> Folders:
    """Return what writes folders, and says what is in them."""
    return Folders()


@pytest.fixture
def skill(tmp_path: Path, folders: Folders) -> Path:
    """Return the folder of a skill with resources, in a folder with nothing else."""
    folder = tmp_path / "skills" / "pdf"
    text = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n\nBody\n"
    folders.make(folder, {SKILL_FILE: text, "scripts/fill.py": b"print()\n", "forms.md": b"# Forms\n"})
    (folder / "scripts" / "fill.py").chmod(0o755)
    return folder
