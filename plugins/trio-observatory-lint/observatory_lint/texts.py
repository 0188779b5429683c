"""The texts that an expression may be, worked out without running anything."""

from __future__ import annotations

import ast
import re
from functools import partial
from itertools import product

from observatory_lint.computing import HOLE, OWN, SPLITTING, UNKNOWN, Texts, applied, changed, decoded, number, piece
from observatory_lint.leaves import Leaf
from observatory_lint.origins import Origins
from observatory_lint.scopes import Scope
from observatory_lint.values import words

_MOST = 64  # texts that one expression may be
_DEEPEST = 12  # texts within texts
_LONGEST = 10_000  # characters of one
_METHODS = words(
    """
    capitalize casefold format join lower lstrip removeprefix removesuffix replace rstrip strip swapcase title upper
    decode encode
    """
)
_PLACE = re.compile(r"%(?:\((?P<percent>\w+)\))?[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]|\{(?P<field>\w*)[^{}]*\}")
_CALLS = words("builtins.str builtins.bytes os.fspath os.path.expanduser shutil.which sys.intern pathlib.Path")


class Reader:
    """Works out texts in one file.

    Args:
        origins: looks into the file.
    """

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._elsewhere = origins.elsewhere
        self._depth = 0
        origins.texts = self.texts

    def texts(self, node: ast.AST | None, scope: Scope) -> Texts:
        """Return the texts that an expression may be."""
        if node is None or self._depth > _DEEPEST:
            return UNKNOWN
        self._depth += 1
        try:
            with self._origins:
                found = [self._of_leaf(leaf) for leaf in self._origins.leaves(node, scope)]
        finally:
            self._depth -= 1
        whole = _any_of(found)
        return whole._replace(values=frozenset(value[:_LONGEST] for value in whole.values))

    def elements(self, node: ast.expr, scope: Scope) -> list[list[Texts]]:
        """Return the lists that an expression may be; an element of unknown text stands for what is not known."""
        if self._depth > _DEEPEST:
            return []
        self._depth += 1
        try:
            with self._origins:
                return [self._elements(leaf) for leaf in self._origins.leaves(node, scope)]
        finally:
            self._depth -= 1

    def _elements(self, leaf: Leaf) -> list[Texts]:
        node, scope = leaf.node, leaf.scope
        if leaf.binding or isinstance(node, ast.Attribute):
            lists = [found for origin in self._imported(leaf) for found in self._elsewhere.elements(origin)]
            return lists[0] if lists else [UNKNOWN]
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [text for element in elements for text in self._element(element, scope)]
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return [text for side in (left, right) for text in self._first(side, scope)]
            case ast.Call(func=ast.Name(id="map"), args=[function, inner]):
                return [self._mapped(function, text, scope) for text in self._first(inner, scope)]
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner]):
                return self._first(inner, scope)
            case ast.Call(func=ast.Attribute(attr="split", value=value), args=[]):
                return self._split(value, scope)
            case ast.Call(args=[value, *_]) if self._origins.of(node.func, scope) & {"shlex.split"}:
                return self._split(value, scope)
        return [UNKNOWN]

    def _element(self, node: ast.expr, scope: Scope) -> list[Texts]:
        return self._first(node.value, scope) if isinstance(node, ast.Starred) else [self.texts(node, scope)]

    def _mapped(self, function: ast.expr, text: Texts, scope: Scope) -> Texts:
        for origin in sorted(self._origins.of(function, scope)):
            return text if origin in _CALLS else changed(text, partial(decoded, origin))
        return UNKNOWN

    def _first(self, node: ast.expr, scope: Scope) -> list[Texts]:
        found = self.elements(node, scope)
        return found[0] if found else [UNKNOWN]

    def _split(self, node: ast.expr, scope: Scope) -> list[Texts]:
        for value in sorted(self.texts(node, scope).values):
            return [Texts(frozenset({word}), HOLE not in word) for word in value.split()]
        return [UNKNOWN]

    def _of_leaf(self, leaf: Leaf) -> Texts:
        binding, node, scope = leaf
        if binding and binding.how == "element":
            lists = self.elements(binding.node, binding.scope) if isinstance(binding.node, ast.expr) else []
            return _any_of([text for part in lists for text in part])
        if binding or isinstance(node, (ast.Attribute, ast.Name)):
            known = [self._elsewhere.texts(origin) for origin in self._imported(leaf)]
            found = _any_of([texts for texts in known if texts != UNKNOWN])
            if binding or found != UNKNOWN:
                return found
        return self._of_expression(node, scope)

    def _imported(self, leaf: Leaf) -> list[str]:
        """Return the origins of what may come from other files."""
        if leaf.binding and leaf.binding.how != "import":
            return []
        return sorted(self._origins.of(leaf.node, leaf.scope))

    def _of_expression(self, node: ast.AST, scope: Scope) -> Texts:
        match node:
            case ast.Constant(value=str() as text):
                return Texts(frozenset({text}), True)
            case ast.Constant(value=bytes() as data):
                return Texts(frozenset({data.decode("utf-8", "replace")}), True)
            case ast.Constant(value=int() as number) if not isinstance(number, bool) and abs(number) < 1 << 64:
                return Texts(frozenset({str(number)}), True)
            case ast.Name(id="__package__" | "__name__"):
                return _text(OWN)
            case ast.JoinedStr(values=parts):
                return self._joined([self._part(part, scope) for part in parts])
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return self._joined([self._or_hole(left, scope), self._or_hole(right, scope)])
            case ast.BinOp(op=ast.Mult(), left=left, right=ast.Constant(value=int() as times)) if 0 <= times < _MOST:
                return self._joined([self._or_hole(left, scope)] * times)
            case ast.BinOp(op=ast.Mod(), left=left, right=right):
                return self._filled(left, _by_name(right), scope)
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                return self._joined([self._or_hole(left, scope), _text("/"), self._or_hole(right, scope)])
            case ast.Subscript(value=value, slice=ast.Slice() as index):
                return self._sliced(value, index, scope)
            case ast.Subscript(value=ast.Call(func=ast.Attribute(attr=method)) as call, slice=place) if (
                method in SPLITTING
            ):
                return self._piece(call, place, scope)
            case ast.Call():
                return self._called(node, scope)
        return UNKNOWN

    def _part(self, node: ast.expr, scope: Scope) -> Texts:
        if isinstance(node, ast.FormattedValue):
            plain = node.format_spec is None and node.conversion in {-1, ord("s")}
            return self._or_hole(node.value, scope) if plain else _text(HOLE)
        return self._or_hole(node, scope)

    def _or_hole(self, node: ast.expr, scope: Scope) -> Texts:
        texts = self.texts(node, scope)
        return texts if texts.complete else Texts(texts.values | {HOLE}, True)

    def _joined(self, parts: list[Texts], between: str = "") -> Texts:
        count = 1
        for part in parts:
            count *= len(part.values)
        if count > _MOST or sum(max(map(len, part.values), default=0) for part in parts) > _LONGEST:
            return _text(HOLE)
        return Texts(frozenset(between.join(chosen) for chosen in product(*(part.values for part in parts))), True)

    def _filled(self, template: ast.expr, fillings: dict[str, ast.expr], scope: Scope) -> Texts:
        """Return a template of `%` or `format` with what is filled in, by position or name, and only as it is."""
        known = {name: self._or_hole(filling, scope) for name, filling in fillings.items()}
        found: set[str] = set()
        for text in self.texts(template, scope).values:
            parts, end = [], 0
            for index, place in enumerate(_PLACE.finditer(text)):
                name = place["percent"] or place["field"] or str(index)
                parts += [_text(text[end : place.start()]), known.get(name, _text(HOLE))]
                end = place.end()
            found |= self._joined([*parts, _text(text[end:])]).values
        return Texts(frozenset(found), bool(found))

    def _sliced(self, value: ast.expr, index: ast.Slice, scope: Scope) -> Texts:
        try:
            bounds = [number(part) for part in (index.lower, index.upper, index.step)]
        except ValueError:
            return UNKNOWN
        texts = self.texts(value, scope)
        if bounds[2] == 0 or any(HOLE in text for text in texts.values):
            return UNKNOWN
        return Texts(frozenset(text[bounds[0] : bounds[1] : bounds[2]] for text in texts.values), texts.complete)

    def _called(self, node: ast.Call, scope: Scope) -> Texts:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            found = self._method(node.func.value, node.func.attr, node, scope)
            if found is not None:
                return found
        for function in sorted(self._origins.of(node.func, scope)):
            words = self._constants(node.args, scope)
            if words and (text := decoded(function, *words)) is not None:
                return _text(text)
            if function in _CALLS and node.args:
                return self.texts(node.args[0], scope)
            if function == "os.path.join" and node.args:
                return self._joined([self._or_hole(arg, scope) for arg in node.args], "/")
            if function in {"builtins.reversed", "builtins.tuple", "builtins.list"} and node.args:
                texts = self.texts(node.args[0], scope)
                backwards = function == "builtins.reversed"
                return texts._replace(values=frozenset(v[::-1] if backwards else v for v in texts.values))
            if function in {"os.environ.get", "os.getenv"} and len(node.args) > 1:
                return self.texts(node.args[1], scope)._replace(complete=False)
        return UNKNOWN

    def _method(self, value: ast.expr, name: str, node: ast.Call, scope: Scope) -> Texts | None:
        if name == "join":
            return self._join(value, node, scope)
        if name == "format":
            given = {str(index): arg for index, arg in enumerate(node.args)}
            return self._filled(value, given | {word.arg: word.value for word in node.keywords if word.arg}, scope)
        texts = self.texts(value, scope)
        if name in {"decode", "encode"}:
            return texts
        words = self._constants(node.args, scope)
        if words is None or not texts.values:
            return None
        return changed(texts, lambda text: applied(text, name, *words))

    def _constants(self, args: list[ast.expr], scope: Scope) -> list[str] | None:
        """Return arguments that are constant; None when one is not."""
        given = [self.texts(arg, scope) for arg in args]
        if not all(arg.complete and len(arg.values) == 1 for arg in given):
            return None
        return [next(iter(arg.values)) for arg in given]

    def _piece(self, node: ast.Call, index: ast.expr, scope: Scope) -> Texts:
        """Return one of the pieces that a text is taken apart into."""
        words = self._constants(node.args, scope)
        if not isinstance(node.func, ast.Attribute) or words is None:
            return UNKNOWN
        method, value = node.func.attr, node.func.value
        try:
            place = number(index) or 0
        except ValueError:
            return UNKNOWN
        return changed(self.texts(value, scope), lambda text: piece(text, method, words, place))

    def _join(self, value: ast.expr, node: ast.Call, scope: Scope) -> Texts | None:
        between = self.texts(value, scope)
        if len(node.args) != 1 or len(between.values) != 1:
            return None
        (glue,) = between.values
        parts = node.args[0]
        match parts:  # of what goes through each letter nothing is changed
            case ast.GeneratorExp(elt=ast.Name(id=name), generators=[ast.comprehension(target=ast.Name(id=same))]):
                parts = parts.generators[0].iter if name == same and not parts.generators[0].ifs else parts
        lists = self.elements(parts, scope)
        if lists and all(text != UNKNOWN for part in lists for text in part):
            joined = [
                self._joined([t if t.complete else Texts(t.values | {HOLE}, True) for t in part], glue)
                for part in lists
            ]
            return Texts(frozenset(value for part in joined for value in part.values), True)
        return changed(self.texts(parts, scope), glue.join)


def _by_name(right: ast.expr) -> dict[str, ast.expr]:
    """Return what stands behind `%`: by position, or by name."""
    if isinstance(right, ast.Dict):
        pairs = zip(right.keys, right.values, strict=True)
        return {
            key.value: value for key, value in pairs if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
    return {str(index): part for index, part in enumerate(right.elts if isinstance(right, ast.Tuple) else [right])}


def _any_of(parts: list[Texts]) -> Texts:
    """Return what is one of several; complete when each of them is."""
    values = frozenset(value for part in parts for value in part.values)
    return Texts(values, bool(parts) and all(part.complete for part in parts)) if len(values) <= _MOST else UNKNOWN


def _text(value: str) -> Texts:
    return Texts(frozenset({value}), True)
