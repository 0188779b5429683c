"""What writes files."""

from __future__ import annotations

from observatory_lint.values import words

PATHS = ("pathlib.Path", "trio.Path", "anyio.Path", "aiopath.AsyncPath")
"""Classes of paths that can write."""

PATH_METHODS = words(
    "touch mkdir rename replace unlink rmdir symlink_to hardlink_to link_to chmod lchmod copy copy_into move move_into"
)
"""Their methods that change files, besides `write_text`, `write_bytes` and `open`."""

OPENERS = {
    "builtins.open": (1, "r"),
    "io.open": (1, "r"),
    "io.FileIO": (1, "r"),
    "os.fdopen": (1, "r"),
    "codecs.open": (1, "r"),
    "tokenize.open": (9, "r"),
    "gzip.open": (1, "r"),
    "gzip.GzipFile": (1, "r"),
    "bz2.open": (1, "r"),
    "bz2.BZ2File": (1, "r"),
    "lzma.open": (1, "r"),
    "lzma.LZMAFile": (1, "r"),
    "zipfile.ZipFile": (1, "r"),
    "zipfile.PyZipFile": (1, "r"),
    "tarfile.open": (1, "r"),
    "tarfile.TarFile": (1, "r"),
    "tarfile.TarFile.open": (1, "r"),
    "wave.open": (1, "r"),
    "trio.open_file": (1, "r"),
    "anyio.open_file": (1, "r"),
    "aiofiles.open": (1, "r"),
    "shelve.open": (9, "w"),
    "logging.open": (1, "r"),
}
"""What opens a file: where the mode stands among its arguments, and what it is when it is not given."""

DUMPERS = {
    "pickle.dump": 1,
    "pickle.Pickler": 0,
    "marshal.dump": 1,
    "cloudpickle.dump": 1,
    "dill.dump": 1,
    "joblib.dump": 1,
    "plistlib.dump": 1,
}
"""What writes to a file that it is handed, and where that stands among its arguments."""

ALWAYS = words(
    """
    tempfile.NamedTemporaryFile tempfile.TemporaryFile tempfile.SpooledTemporaryFile tempfile.TemporaryDirectory
    tempfile.mkstemp tempfile.mkdtemp tempfile.mktemp
    logging.FileHandler logging.handlers.RotatingFileHandler logging.handlers.TimedRotatingFileHandler
    logging.handlers.WatchedFileHandler logging.handlers.BaseRotatingHandler logging.config.fileConfig
    shelve.open shelve.DbfilenameShelf dbm.dumb.open dbm.gnu.open dbm.ndbm.open dbm.sqlite3.open
    shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move shutil.rmtree shutil.make_archive
    shutil.unpack_archive shutil.copymode shutil.copystat
    os.replace os.rename os.renames os.link os.symlink os.truncate os.mkfifo os.mknod os.mkdir os.makedirs os.remove
    os.unlink os.rmdir os.removedirs os.creat
    urllib.request.urlretrieve numpy.save numpy.savez numpy.savetxt
    anyio.NamedTemporaryFile anyio.TemporaryFile anyio.TemporaryDirectory
    aiofiles.tempfile.NamedTemporaryFile aiofiles.tempfile.TemporaryFile
    """
)
"""What writes whatever it is handed."""
