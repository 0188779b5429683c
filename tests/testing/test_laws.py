"""Laws: each stands in the contract, is one test, and cannot be hidden."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import observatory.abc
import observatory.checks
import observatory.client.whole
import observatory.skills
from observatory.testing import (
    CheckConformance,
    ClientConformance,
    DeliveryChannelConformance,
    ModuleConformance,
    PluginConformance,
    PolicyConformance,
    RouteConformance,
    ServiceConformance,
    SkillSourceConformance,
    StorageBackendConformance,
)
from observatory.testing.laws import Conformance, law

pytest_plugins = "pytester"

SUITES: dict[str, type[Conformance]] = {
    "StorageBackend": StorageBackendConformance,
    "DeliveryChannel": DeliveryChannelConformance,
    "Module": ModuleConformance,
    "Service": ServiceConformance,
    "Policy": PolicyConformance,
    "RouteFactory": RouteConformance,
    "SkillSource": SkillSourceConformance,
    "Check": CheckConformance,
    "Client": ClientConformance,
}
SOURCE = "".join(
    map(inspect.getsource, (observatory.abc, observatory.skills, observatory.checks, observatory.client.whole))
)


def plain(text: str | None) -> str:
    """Return a text with single spaces."""
    return " ".join((text or "").split())


def written_laws() -> dict[str, list[str]]:
    """Return the laws in the docstrings of abc.py, skills.py, checks.py and client/whole.py, by extension point."""
    laws: dict[str, list[str]] = {}
    for block in re.finditer(r"\bLaws:\n(.*?)\n *\"\"\"", SOURCE, re.DOTALL):
        name = re.findall(r"^(?:class )?([A-Z]\w+)(?=\(|: TypeAlias)", SOURCE[: block.start()], re.MULTILINE)[-1]
        laws[name] = [plain(text) for text in re.split(r"^ *- ", block[1], flags=re.MULTILINE)[1:]]
    return laws


def test_suites() -> None:
    """Every extension point with laws has a suite."""
    assert list(written_laws()) == list(SUITES)


@pytest.mark.parametrize("name", SUITES)
def test_one_test_for_each_law(name: str) -> None:
    """Every law that is written down is one test, in that order, whose docstring begins as the law does."""
    tests = [plain(test.__doc__).rstrip(".") for test in SUITES[name].laws().values()]
    written = written_laws()[name]
    assert [text.startswith(test) for text, test in zip(written, tests, strict=False)] == [True] * len(written)
    assert all(test in plain(SOURCE) for test in tests[len(written) :]), "a law is a promise of the contract"


@pytest.mark.parametrize("suite", [*SUITES.values(), PluginConformance])
def test_every_test_is_a_law(suite: type[Conformance]) -> None:
    """What pytest collects of a suite are its laws."""
    assert [name for name in vars(suite) if name.startswith("test")] == list(suite.laws())


def test_missing_fixtures(pytester: pytest.Pytester) -> None:
    """What a suite needs and was not given, it asks for by name."""
    suites: list[type[Conformance]] = [*SUITES.values(), PluginConformance]
    tests = [f"class Test{suite.__name__}(testing.{suite.__name__}):\n    pass\n" for suite in suites]
    pytester.makepyfile("\n".join(["from observatory import testing", *tests]))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=sum(len(suite.laws()) for suite in suites))
    factories = [f"{part}_factory" for part in ("backend", "channel", "module", "service", "source", "check")]
    for name in [*factories, "policy", "open_client", "plugin_name"]:
        result.stdout.fnmatch_lines(f"E*NotImplementedError: give your suite a fixture `{name}` that returns *")


@pytest.mark.parametrize(
    ("hook", "args"),
    [
        (StorageBackendConformance().break_storage, (None,)),
        (StorageBackendConformance().mend_storage, (None,)),
        (DeliveryChannelConformance().break_recipient, (None, "a")),
        (DeliveryChannelConformance().mend_recipient, (None, "a")),
        (DeliveryChannelConformance().delivered, (None, "a")),
        (ModuleConformance().use, (None,)),
        (ModuleConformance().contents, (None,)),
        (CheckConformance().spoil, (None,)),
        (SkillSourceConformance().put, ("a", {})),
        (SkillSourceConformance().remove, ("a",)),
        (SkillSourceConformance().spoil, ()),
    ],
)
async def test_missing_methods(hook: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """A method that a suite needs and that is not implemented asks for itself by name."""
    with pytest.raises(NotImplementedError, match=f"implement .*{hook.__name__}"):
        await hook(*args)


class Suite(Conformance):
    """A suite of one law."""

    @law
    def test_law(self) -> None:
        """It holds."""


def test_override() -> None:
    """A law cannot be overridden."""
    with pytest.raises(TypeError, match="Mine overrides the law test_law; laws cannot be overridden"):

        class Mine(Suite):
            def test_law(self) -> None: ...


def test_override_by_another_base() -> None:
    """A law cannot be hidden by a class that stands before the suite, nor by removing it."""

    class Other:
        def test_law(self) -> None: ...

    with pytest.raises(TypeError, match="Mine overrides the law test_law"):

        class Mine(Other, Suite): ...


def test_own_tests() -> None:
    """A subclass can have tests and laws of its own."""

    class Mine(Suite):
        def test_mine(self) -> None: ...

        @law
        def test_also_a_law(self) -> None: ...

    assert list(Mine.laws()) == ["test_law", "test_also_a_law"]


def test_unknown_expected_failure() -> None:
    """Only laws can be expected to fail."""
    with pytest.raises(TypeError, match="expects a failure of test_lwa, which is no law of it: test_law"):

        class Mine(Suite):
            expected_failures = {"test_lwa": "typing"}


def test_no_reason() -> None:
    """A failure is expected for a reason only."""
    with pytest.raises(TypeError, match="expects a failure of test_law without a reason"):

        class Mine(Suite):
            expected_failures = {"test_law": " "}


class TestExpectedFailures:
    """Laws that are known to be broken, in a test run of their own."""

    CODE = """
        import pytest
        from observatory.testing.laws import Conformance, law

        class Suite(Conformance):
            @law
            async def test_broken(self) -> None:
                assert 1 == 2

            @law
            def test_kept(self) -> None:
                pass

        class TestIt(Suite):
            expected_failures = {"test_%s": "issue 7"}
    """

    def test_known(self, pytester: pytest.Pytester) -> None:
        """A law that is known to be broken is run, and reported with the reason."""
        pytester.makepyfile(self.CODE % "broken")
        result = pytester.runpytest_inprocess("-rx")
        result.assert_outcomes(passed=1, xfailed=1)
        result.stdout.fnmatch_lines("XFAIL *::TestIt::test_broken - issue 7*")

    def test_holds_again(self, pytester: pytest.Pytester) -> None:
        """When a law holds that was expected to be broken, the suite fails until that is taken back."""
        pytester.makepyfile(self.CODE % "kept")
        pytester.runpytest_inprocess().assert_outcomes(failed=2)
