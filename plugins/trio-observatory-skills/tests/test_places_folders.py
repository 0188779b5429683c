"""Skills that are folders: read without leaving them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from observatory_skills.places import access, open_place
from observatory_skills.places.folders import FolderPlace

from observatory import SKILL_FILE, SkillSourceError, UnknownNameError

HEAD = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n"


def make(folder: Path, **files: bytes) -> Path:
    """Make a skill, and return its folder."""
    folder.mkdir(parents=True)
    (folder / SKILL_FILE).write_bytes(HEAD + b"Body\n")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


class TestRead:
    """Reading the files of a skill."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> FolderPlace:
        """Return a skill with some files in it."""
        folder = make(tmp_path / "pdf", **{"forms.md": b"# Forms\n", "tools.py": b""})
        (folder / "scripts" / "deep").mkdir(parents=True)
        (folder / "scripts" / "deep" / "fill.py").write_bytes(b"print()\n")
        (folder / "empty").mkdir()
        return FolderPlace(str(folder / SKILL_FILE))

    def test_names(self, place: FolderPlace) -> None:
        """All files but SKILL.md are named, in order."""
        assert place.names() == ["forms.md", "scripts/deep/fill.py", "tools.py"]

    def test_read(self, place: FolderPlace) -> None:
        """Each can be read, and SKILL.md too."""
        assert place.read("scripts/deep/fill.py") == b"print()\n"
        assert place.read(SKILL_FILE) == HEAD + b"Body\n"
        assert place.read_head(7) == HEAD[:7]

    @pytest.mark.parametrize(
        "path",
        [
            "",
            ".",
            "..",
            "../other.md",
            "scripts/../../other.md",
            "scripts/../forms.md",
            "./forms.md",
            "scripts//deep/fill.py",
            "scripts",
            "scripts/",
            "forms.md/",
            "forms.md/x",
            "missing",
            "missing/x",
            "scripts\\deep\\fill.py",
            "forms.md\0",
            "\udcff",
            "x" * 300,
            "x/" * 5000,
        ],
    )
    def test_elsewhere(self, place: FolderPlace, tmp_path: Path, path: str) -> None:
        """Any other path is an error that lists the names."""
        (tmp_path / "other.md").touch()
        with pytest.raises(UnknownNameError) as caught:
            place.read(path)
        assert caught.value.known == ("forms.md", "scripts/deep/fill.py", "tools.py")

    def test_absolute(self, place: FolderPlace, tmp_path: Path) -> None:
        """An absolute path is an error, even within the skill."""
        with pytest.raises(UnknownNameError):
            place.read(str(tmp_path / "pdf" / "forms.md"))

    @pytest.mark.parametrize("path", ["link.md", "out/secret", "in/fill.py", "in/deep", "up/pdf/forms.md"])
    def test_links(self, place: FolderPlace, tmp_path: Path, path: str) -> None:
        """No link is followed, wherever on the way it is, and none is named."""
        folder = tmp_path / "pdf"
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret").touch()
        (folder / "link.md").symlink_to("forms.md")
        (folder / "out").symlink_to(tmp_path / "outside")
        (folder / "in").symlink_to("scripts/deep")
        (folder / "up").symlink_to("..")
        with pytest.raises(UnknownNameError):
            place.read(path)
        assert place.names() == ["forms.md", "scripts/deep/fill.py", "tools.py"]

    def test_link_at_the_wrong_moment(
        self, place: FolderPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder that becomes a link after it was looked at is not followed either."""
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "secret").touch()
        look = os.stat

        def swap_after(path: str, **options: int) -> os.stat_result:
            status = look(path, **options)  # type: ignore[arg-type]
            if path == "deep":
                os.rename(tmp_path / "pdf/scripts/deep", tmp_path / "was")
                os.symlink(tmp_path / "deep", tmp_path / "pdf/scripts/deep")
            return status

        monkeypatch.setattr(os, "stat", swap_after)
        with pytest.raises(SkillSourceError, match="cannot be read"):
            place.names()

    @pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK])
    def test_special_files(self, place: FolderPlace, tmp_path: Path, kind: int) -> None:
        """What is no file is neither named nor read, and nothing waits for it."""
        os.mknod(tmp_path / "pdf" / "special", 0o600 | kind)
        with pytest.raises(UnknownNameError):
            place.read("special")
        assert "special" not in place.names()

    def test_device(self, place: FolderPlace, tmp_path: Path) -> None:
        """A device is never read."""
        try:
            os.mknod(tmp_path / "pdf" / "zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root makes devices")
        with pytest.raises(UnknownNameError):
            place.read("zero")

    @pytest.mark.parametrize("name", [".git", "__pycache__", ".DS_Store"])
    def test_left_out(self, place: FolderPlace, tmp_path: Path, name: str) -> None:
        """What version control, Python and desktops leave behind is no part of a skill; other hidden files are."""
        for folder in (tmp_path / "pdf", tmp_path / "pdf" / "scripts"):
            (folder / name).mkdir()
            (folder / name / "config").touch()
        (tmp_path / "pdf" / ".style").touch()
        assert place.names() == [".style", "forms.md", "scripts/deep/fill.py", "tools.py"]
        with pytest.raises(UnknownNameError):
            place.read(f"scripts/{name}/config")

    def test_too_large(self, place: FolderPlace, tmp_path: Path) -> None:
        """A file that is too large is not read; SKILL.md has its own limit."""
        for name, limit in {"large": access.MAX_RESOURCE, SKILL_FILE: access.MAX_SKILL}.items():
            with open(tmp_path / "pdf" / name, "wb") as file:
                file.truncate(limit)
            assert len(place.read(name)) == limit
            os.truncate(tmp_path / "pdf" / name, limit + 1)
            with pytest.raises(SkillSourceError, match=f"more than {limit >> 20} MiB are too much"):
                place.read(name)

    def test_too_many(self, place: FolderPlace, monkeypatch: pytest.MonkeyPatch) -> None:
        """A skill of too many files is an error instead of a long list."""
        monkeypatch.setattr(access, "MAX_FILES", 2)
        with pytest.raises(SkillSourceError, match="more than 2 files and folders"):
            place.names()

    def test_too_deep(self, place: FolderPlace, tmp_path: Path) -> None:
        """So is one whose folders lie too deep in each other."""
        (tmp_path / "pdf" / "/".join("d" * (access.MAX_DEPTH + 1))).mkdir(parents=True)
        with pytest.raises(SkillSourceError, match="more than 32 folders lie in each other"):
            place.names()

    def test_gone(self, place: FolderPlace, tmp_path: Path) -> None:
        """When the whole skill has gone, that is told, whatever is asked for."""
        os.rename(tmp_path / "pdf", tmp_path / "fdp")
        for ask in (place.names, lambda: place.read(SKILL_FILE), lambda: place.read("x"), lambda: place.read_head(1)):
            with pytest.raises(SkillSourceError, match="No such file"):
                ask()

    def test_file_that_goes(self, place: FolderPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that goes while names are listed is not among them."""
        look = os.stat

        def gone_before(path: str, **options: int) -> os.stat_result:
            if path == "forms.md":
                os.unlink(tmp_path / "pdf" / path)
            return look(path, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "stat", gone_before)
        assert place.names() == ["scripts/deep/fill.py", "tools.py"]

    def test_location_without_sense(self) -> None:
        """A location that no file can have is an error as any other."""
        with pytest.raises(SkillSourceError, match="no file can have that path"):
            open_place("zero\0byte/SKILL.md").read_head(10)

    def test_leaves_nothing_open(self, place: FolderPlace) -> None:
        """Reading and failing leave no file open."""
        before = os.listdir("/dev/fd")
        place.names()
        place.read("forms.md")
        for path in ("scripts", "missing", "scripts/deep/none"):
            with pytest.raises(UnknownNameError):
                place.read(path)
        assert os.listdir("/dev/fd") == before
