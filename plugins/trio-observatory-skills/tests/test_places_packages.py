"""Skills that are packages: found and read, and refused when they could do harm."""

from __future__ import annotations

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import given, settings, strategies as st
from observatory_skills.errors import PackageError
from observatory_skills.places import open_place, packages, scan_packages
from observatory_skills.places.packages import PackagePlace

from observatory import SKILL_FILE, Problem, SkillFile, SkillSourceError, UnknownNameError

HEAD = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n"


def write(file: Path, entries: Iterable[tuple[str | ZipInfo, bytes]]) -> Path:
    """Write a zip; `ZipFile` warns of what is twice."""
    with warnings.catch_warnings(), ZipFile(file, "w", ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, data in entries:
            archive.writestr(name, data)
    return file


def entry(name: str, *, mode: int = 0, **attributes: int) -> ZipInfo:
    """Return an entry that says what it should not say."""
    info = ZipInfo("x")
    info.filename = name
    info.external_attr = mode << 16
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


SKILL: tuple[str, bytes] = f"pdf/{SKILL_FILE}", HEAD + b"Body\n"

HOSTILE: dict[str, tuple[list[tuple[str | ZipInfo, bytes]], str]] = {
    "up": ([SKILL, ("../evil", b"")], "leads elsewhere"),
    "up at the end": ([SKILL, ("pdf/..", b"")], "leads elsewhere"),
    "nothing between": ([SKILL, ("pdf//evil", b"")], "leads elsewhere"),
    "no name": ([SKILL, (entry(""), b"")], "leads elsewhere"),
    "absolute": ([SKILL, ("/evil", b"")], "absolute"),
    "drive": ([SKILL, ("C:evil", b"")], "absolute"),
    "backslash": ([SKILL, (entry("pdf\\..\\..\\evil"), b"")], "backslash"),
    "zero": ([SKILL, (entry("pdf/evil\0.txt"), b"")], "zero byte"),
    "link": ([SKILL, (entry("pdf/evil", mode=stat.S_IFLNK | 0o777), b"/etc/passwd")], "neither a file"),
    "link of DOS": ([SKILL, (entry("pdf/evil", mode=stat.S_IFLNK, create_system=0), b"/etc")], "neither a file"),
    "pipe": ([SKILL, (entry("pdf/evil", mode=stat.S_IFIFO | 0o644), b"")], "neither a file"),
    "device": ([SKILL, (entry("pdf/evil", mode=stat.S_IFCHR | 0o644), b"")], "neither a file"),
    "a folder with the name of a file": (
        [SKILL, (entry("pdf/evil", mode=stat.S_IFDIR | 0o755), b"")],
        "neither a file",
    ),
    "a file with the name of a folder": ([SKILL, (entry("pdf/evil/", mode=stat.S_IFREG), b"")], "neither a file"),
    "twice": ([SKILL, ("pdf/a", b"1"), ("pdf/a", b"2")], "twice"),
    "twice by case": ([SKILL, ("pdf/a", b"1"), ("pdf/A", b"2")], "twice"),
    "twice by form": ([SKILL, ("pdf/\u00e9", b"1"), ("pdf/e\u0301", b"2")], "twice"),
    "folders by case": ([SKILL, ("pdf/docs/a", b"1"), ("pdf/Docs/b", b"2")], "twice"),
    "file and folder": ([SKILL, ("pdf/a", b"1"), ("pdf/a/b", b"2")], "twice"),
    "folder and file": ([SKILL, ("pdf/a/b", b"1"), ("pdf/A", b"2")], "twice"),
    "two SKILL.md": ([SKILL, ("pdf/skill.md", b"")], "twice"),
    "two folders": ([SKILL, ("other/a", b"")], "outside of the one folder"),
    "in no folder": ([(SKILL_FILE, HEAD)], "no folder"),
    "beside the folder": ([SKILL, ("README", b"")], "outside of the one folder"),
    "hidden": ([(f".pdf/{SKILL_FILE}", HEAD)], "hidden"),
    "no SKILL.md": ([("pdf/readme.md", HEAD)], "has no pdf/SKILL.md"),
    "SKILL.md too deep": ([("a/pdf/SKILL.md", HEAD)], "has no a/SKILL.md"),
    "only a folder": ([("pdf/", b"")], "has no files"),
    "nothing": ([], "has no files"),
    "long name": ([SKILL, ("pdf/" + "\u00e9" * 128, b"")], "255 bytes"),
    "deep": ([SKILL, ("pdf/" + "d/" * 40 + "evil", b"")], "32 folders"),
    "way of compressing": ([SKILL, (entry("pdf/evil", compress_type=ZIP_BZIP2), b"")], "deflate"),
    "many": ([SKILL, *((f"pdf/{n}", b"") for n in range(10_000))], "more than 10000"),
    "many folders": ([SKILL, *((f"pdf/{n}" + "/d" * 20, b"") for n in range(1000))], "more than 10000"),
    "bomb": ([SKILL, ("pdf/zeros", bytes(2_000_000))], "bomb"),
    "bomb in parts": ([SKILL, *((f"pdf/zeros{n}", bytes(500_000)) for n in range(5))], "bomb"),
    "large SKILL.md": (
        [(entry("pdf/SKILL.md", compress_type=ZIP_STORED), bytes((16 << 20) + 1))],
        "16 MiB are too much",
    ),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a package with some files in it."""
    return write(tmp_path / "pdf.skill", [SKILL, ("pdf/scripts/fill.py", b"print()\n"), ("pdf/forms.md", b"# Forms\n")])


def problem_of(file: Path) -> Problem:
    """Return what is wrong with a package."""
    (found,) = scan_packages(str(file))
    assert isinstance(found, Problem)
    return found


class TestScan:
    """Looking for packages in a folder."""

    def test_several(self, tmp_path: Path) -> None:
        """Packages directly in the folder are found in order of their names; what is hidden or none is not."""
        for name in ("b.skill", "a.skill", ".hidden.skill", "c.zip"):
            write(tmp_path / name, [SKILL])
        (tmp_path / "folder.skill").mkdir()
        (tmp_path / "link.skill").symlink_to("c.zip")
        os.mkfifo(tmp_path / "pipe.skill")
        found = scan_packages(str(tmp_path), scope="project")
        files = [one for one in found if isinstance(one, SkillFile)]
        assert [file.location for file in files] == [
            str(tmp_path / name) for name in ("a.skill", "b.skill", "link.skill")
        ]
        assert {(file.folder, file.head, file.scope) for file in files} == {("pdf", SKILL[1], "project")}
        assert len(found) == 3

    def test_itself(self, package: Path) -> None:
        """A package may be given instead of its folder."""
        (found,) = scan_packages(str(package))
        assert isinstance(found, SkillFile)
        assert (found.folder, found.head) == ("pdf", SKILL[1])

    def test_what_has_not_changed(self, tmp_path: Path) -> None:
        """What has not changed is the same object, and one that was written is another."""
        for name in ("a.skill", "b.skill"):
            write(tmp_path / name, [SKILL])
        first = [one for one in scan_packages(str(tmp_path)) if isinstance(one, SkillFile)]
        write(tmp_path / "b.skill", [SKILL, ("pdf/more", b"")])
        again = scan_packages(str(tmp_path), first)
        assert [new is old for new, old in zip(again, first, strict=True)] == [True, False]

    def test_missing(self, tmp_path: Path) -> None:
        """A folder that is not there is a problem."""
        assert problem_of(tmp_path / "missing").problem == "cannot be read: No such file or directory"

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile(self, tmp_path: Path, name: str) -> None:
        """A package that could do harm is a problem that says why in one line, and the others are found."""
        entries, reason = HOSTILE[name]
        write(tmp_path / "bad.skill", entries)
        write(tmp_path / "good.skill", [SKILL])
        bad, good = scan_packages(str(tmp_path))
        assert isinstance(good, SkillFile)
        assert isinstance(bad, Problem)
        assert reason in bad.problem
        assert bad.problem.isprintable()
        assert bad.where == str(tmp_path / "bad.skill")

    def test_folders_are_named(self, tmp_path: Path) -> None:
        """Entries of folders are no harm."""
        write(tmp_path / "a.skill", [("pdf/", b""), SKILL, ("pdf/docs/", b""), ("pdf/docs/a", b"")])
        assert PackagePlace(str(tmp_path / "a.skill")).names() == ["docs/a"]


class TestDamaged:
    """Files that are no whole zip."""

    def test_encrypted(self, package: Path) -> None:
        """An entry that is encrypted is a problem."""
        patch(package, b"PK\1\2", 8, struct.pack("<H", 1))
        assert problem_of(package).problem.endswith("is encrypted")

    def test_cut_off(self, package: Path) -> None:
        """Wherever a package is cut off, it is a problem."""
        data = package.read_bytes()
        for length in range(len(data)):
            package.write_bytes(data[:length])
            assert problem_of(package).problem

    def test_says_that_it_is_smaller(self, package: Path) -> None:
        """An entry that has more than it says is damaged."""
        patch(package, b"PK\1\2", 24, struct.pack("<I", 1))
        assert "is damaged" in problem_of(package).problem

    def test_other_content(self, package: Path) -> None:
        """What does not fit its checksum is damaged."""
        patch(package, b"PK\1\2", 16, b"\0\0\0\0")
        assert "CRC" in problem_of(package).problem

    def test_name_that_is_no_text(self, package: Path) -> None:
        """A name that says it is UTF-8, and is not, is a problem."""
        data = package.read_bytes().replace(b"pdf/forms.md", b"pdf/forms\xff\xff\xff")
        package.write_bytes(data)
        patch(package, b"PK\1\2", 8, struct.pack("<H", 0x800), last=True)
        assert "is no package" in problem_of(package).problem

    @pytest.mark.parametrize("entries", [50_000, 1_000_000])
    def test_very_many_entries(self, tmp_path: Path, entries: int) -> None:
        """A directory of very many entries is refused before it is gone through."""
        header = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0)
        directory = b"".join(header + b"%05x" % (number & 0xFFFFF) for number in range(entries))
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
        (tmp_path / "many.skill").write_bytes(directory + end)
        assert problem_of(tmp_path / "many.skill").problem == "is no package: it has too many entries"

    def test_zip64(self, tmp_path: Path) -> None:
        """A zip in the format for large files is read as any other."""
        file = tmp_path / "large.skill"
        with ZipFile(file, "w") as archive, archive.open(SKILL[0], "w", force_zip64=True) as target:
            target.write(SKILL[1])
        assert PackagePlace(str(file)).read(SKILL_FILE) == SKILL[1]

    def test_bomb_that_lies(self, tmp_path: Path) -> None:
        """A bomb whose entries say that they are small gives no more than they say."""
        file = write(tmp_path / "bomb.skill", [(SKILL[0], bytes(5_000_000))])
        patch(file, b"PK\1\2", 24, struct.pack("<I", 100))
        patch(file, b"PK\1\2", 16, struct.pack("<I", zlib.crc32(bytes(100))))
        assert len(PackagePlace(str(file)).read(SKILL_FILE)) == 100

    def test_judged_while_it_is_unpacked(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What comes out is counted, whatever entries say."""
        with packages.open_package(str(package)) as opened:
            opened._most = 5
            with pytest.raises(PackageError, match="bomb"):
                list(opened.chunks("forms.md"))

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_any_damage(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        """Whichever bytes are changed, it is a skill or a problem, and reading it fails as it may."""
        file = tmp_path_factory.mktemp("damaged") / "pdf.skill"
        raw = bytearray(write(file, [SKILL, ("pdf/forms.md", b"# Forms\n" * 9)]).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(raw)
        assert len(scan_packages(str(file))) == 1
        place = PackagePlace(str(file))
        with suppress(SkillSourceError):
            for name in [SKILL_FILE, *place.names()]:
                place.read(name)


class TestRead:
    """Reading the files of a package."""

    def test_read(self, package: Path) -> None:
        """All files but SKILL.md are named, in order, and each can be read, and SKILL.md too."""
        place = open_place(str(package))
        assert place.names() == ["forms.md", "scripts/fill.py"]
        assert place.read("scripts/fill.py") == b"print()\n"
        assert place.read(SKILL_FILE) == SKILL[1]
        assert place.read_head(7) == SKILL[1][:7]

    @pytest.mark.parametrize(
        "path", ["", "..", "../x", "/etc/passwd", "scripts", "scripts/", "pdf/forms.md", "./forms.md", "a\0", "a\\b"]
    )
    def test_elsewhere(self, package: Path, path: str) -> None:
        """Any other path is an error that lists the names."""
        with pytest.raises(UnknownNameError) as caught:
            PackagePlace(str(package)).read(path)
        assert caught.value.known == ("forms.md", "scripts/fill.py")

    def test_lower_case(self, tmp_path: Path) -> None:
        """`skill.md` is read as SKILL.md."""
        place = PackagePlace(str(write(tmp_path / "a.skill", [("pdf/skill.md", HEAD)])))
        assert (place.read(SKILL_FILE), place.names()) == (HEAD, [])

    def test_left_out(self, tmp_path: Path) -> None:
        """What version control and desktops leave behind is no part of it, and may lie beside the folder."""
        file = write(tmp_path / "a.skill", [SKILL, ("__MACOSX/pdf/._x", b""), ("pdf/.git/config", b""), ("pdf/a", b"")])
        assert PackagePlace(str(file)).names() == ["a"]

    def test_head_of_a_long_one(self, tmp_path: Path) -> None:
        """The head is as long as it was asked for."""
        text = HEAD + os.urandom(300_000)
        file = write(tmp_path / "a.skill", [(SKILL[0], text)])
        assert PackagePlace(str(file)).read_head(100_000) == text[:100_000]

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: None])
    def test_no_file(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        """What is no file, or is not there, or can have no name, cannot be read; nothing waits for it."""
        make(tmp_path / "a.skill")
        for path in ("a.skill", "zero\0byte.skill"):
            with pytest.raises(SkillSourceError):
                PackagePlace(str(tmp_path / path)).names()

    def test_leaves_nothing_open(self, package: Path) -> None:
        """Reading and failing leave no file open."""
        before = os.listdir("/dev/fd")
        PackagePlace(str(package)).read("forms.md")
        package.write_bytes(b"PK")
        with pytest.raises(PackageError):
            PackagePlace(str(package)).names()
        assert os.listdir("/dev/fd") == before


def patch(file: Path, signature: bytes, offset: int, data: bytes, *, last: bool = False) -> None:
    """Change the first entry of the directory, or the last one."""
    raw = bytearray(file.read_bytes())
    at = (raw.rindex(signature) if last else raw.index(signature)) + offset
    raw[at : at + len(data)] = data
    file.write_bytes(raw)
