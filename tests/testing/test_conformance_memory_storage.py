"""The storage backends in memory keep the laws."""

import pytest

from observatory import MemoryStorage, StorageBackend, StorageFactory
from observatory.testing import DurableStorage, FailingStorage, StorageBackendConformance


class TestMemoryStorage(StorageBackendConformance):
    """`memory`, in the box."""

    can_fail = False

    @pytest.fixture
    def backend_factory(self) -> StorageFactory:
        """Return what is registered."""
        return lambda context: MemoryStorage()


class TestFailingStorage(StorageBackendConformance):
    """The fake that fails on demand."""

    @pytest.fixture
    def backend_factory(self) -> StorageFactory:
        """Return what makes one."""
        return lambda context: FailingStorage()

    def break_storage(self, backend: StorageBackend) -> None:
        """Let it fail."""
        assert isinstance(backend, FailingStorage)
        backend.failing = True

    def mend_storage(self, backend: StorageBackend) -> None:
        """Let it commit."""
        assert isinstance(backend, FailingStorage)
        backend.failing = False


class TestDurableStorage(StorageBackendConformance):
    """The fake that outlives Observatory."""

    can_fail = False

    @pytest.fixture
    def backend_factory(self) -> StorageFactory:
        """Return what gives the same one again and again."""
        storage = DurableStorage()
        return lambda context: storage
