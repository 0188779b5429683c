"""What the classes are called that persistent models derive from."""

from __future__ import annotations

from observatory_lint.libraries import DRIVERS, STANDARD, STORES, Libraries
from observatory_lint.values import words

MARKS = frozenset({"__tablename__", "__table__"})
"""What a class has that says which table it is."""

_MODELS = words(
    """
    Base BaseModel DeclarativeBase DeclarativeBaseNoMeta DeferredReflection Document DynamicDocument
    DynamicEmbeddedDocument EmbeddedDocument EmbeddedJsonModel EmbeddedModel Entity HashModel JsonModel MapAttribute
    MappedAsDataclass Model Node OrmarModel ReflectModel SQLModel SemiStructuredNode StructuredNode StructuredRel Table
    UnionDoc View AbstractConcreteBase ConcreteBase
    """
)
_BASE_MAKERS = frozenset(
    {
        "declarative_base",
        "generate_base",
        "automap_base",
        "as_declarative",
        "declarative_base_factory",
        "map_imperatively",
    }
)
_DECORATORS = frozenset({"mapped", "mapped_as_dataclass", "as_declarative", "as_declarative_base"})


def is_model(origin: str, libraries: Libraries) -> bool:
    """Return whether a class is one that persistent models derive from; `db.Model` of an object made by one, too."""
    last = origin.rpartition(".")[2]
    if is_base_maker(origin, libraries):
        return True
    if origin.startswith("django.") and ".models." in f"{origin}.":
        return libraries.match("django.db") is not None and not last.startswith(("Q", "F", "Manager", "TextChoices"))
    if origin.startswith(("playhouse.", "flask_sqlalchemy.", "mongoengine.")):
        return last.endswith(("Model", "Document"))
    return last in _MODELS and _mapper_of(origin, libraries) is not None


def is_base_maker(origin: str, libraries: Libraries) -> bool:
    """Return whether an origin is what `declarative_base()` gives, or the like."""
    if not origin.endswith("()"):
        return False
    last = origin.removesuffix("()").rpartition(".")[2]
    return last in _BASE_MAKERS and _mapper_of(origin, libraries) is not None


def is_mapping_decorator(origin: str) -> bool:
    """Return whether a decorator maps a class to a table."""
    return origin.startswith(("sqlalchemy.", "pony.", "sqlmodel.")) and origin.rpartition(".")[2] in _DECORATORS


def _mapper_of(origin: str, libraries: Libraries) -> str | None:
    library = libraries.match(origin.partition("()")[0])
    return None if library in DRIVERS | STORES | STANDARD else library
