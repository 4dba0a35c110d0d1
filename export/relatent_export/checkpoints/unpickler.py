"""A pickle's operations, carried out on records.

Python's own unpickler imports what a pickle names and calls it. This one cannot: names become `Global`, and
calling one looks up a builder of records by its name. It takes the operations as `pickletools` reads them,
which never runs any. Operations and names are as in the comments of Python's `pickletools`.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any

from relatent_export.checkpoints.allowlist import (
    BUILDERS,
    NAMES,
    Builder,
    element,
    key,
    python3_name,
    refusal,
)
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.checkpoints.records import Array, Dtype, Global, ObjectAttributes, Storage

MOST_OPERATIONS = 1_000_000
"""A checkpoint of a thousand tensors takes fifty thousand. Each may take a hundred bytes of memory."""

_OVERLAP, _LITTLE = 4, 1 << 20
"""A pickle may hand what it memorised to many calls, which copy it: together up to so many times the file's
bytes of text, or so many bytes, and as many items as it may have operations."""

_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
_TEXTS = {
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
}
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_LITERALS = _NUMBERS | _TEXTS | _BYTES
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_FRESH: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_PUT, _GET = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}

_MOST_DIGITS = 64
"""Bytes of a whole number; no checkpoint has more, and it takes long to print."""


def unpickle(
    file: IO[bytes],
    builders: Mapping[str, Builder] | None = None,
    stored: Callable[[Any], Storage] | None = None,
) -> Any:
    """Read one pickle, up to and with its STOP.

    Args:
        file: open at the pickle's beginning.
        builders: for names beyond those of the allowlist.
        stored: gives the storage of a persistent id, in the containers that have them.

    Returns:
        What it holds: plain data, and `records`. Lists and dictionaries may be shared and may hold
        themselves.

    Raises:
        UnsafeFile: it names something that is not in the allowlist.
        UnsupportedFile: TensorFlow's networks, and keys that are neither text nor numbers.
        DamagedFile, or any other error: it is not a pickle, or would take much more memory than its size.
    """
    start, end = file.tell(), file.seek(0, io.SEEK_END)
    file.seek(start)
    unpickler = _Unpickler({**BUILDERS, **(builders or {})}, stored, max(_OVERLAP * (end - start), _LITTLE))
    for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
        if count >= MOST_OPERATIONS:
            raise DamagedFile(f"a pickle of more than {MOST_OPERATIONS} operations")
        unpickler.do(operation.name, argument)
    return unpickler.stack.pop()


class _Unpickler:
    """A stack, those put aside at marks, and what was memorised."""

    def __init__(
        self, builders: Mapping[str, Builder], stored: Callable[[Any], Storage] | None, most_bytes: int
    ) -> None:
        self._most_bytes, self._bytes, self._items = most_bytes, 0, 0
        self.stack: list[Any] = []
        self._aside: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._builders, self._stored = builders, stored

    def do(self, operation: str, argument: Any) -> None:
        stack = self.stack
        if operation in _LITERALS:
            stack.append(_literal(argument))
        elif operation in _CONSTANTS:
            stack.append(_CONSTANTS[operation])
        elif operation in _FRESH:
            stack.append(_FRESH[operation]())
        elif operation in _TUPLES:
            stack.append(tuple([stack.pop() for _ in range(_TUPLES[operation])][::-1]))
        elif operation in _PUT:
            self._memo[argument] = stack[-1]
        elif operation in _GET:
            stack.append(self._memo[argument])
        elif operation in _OTHERS:
            _OTHERS[operation](self, argument)
        elif operation not in _NOTHING:
            raise DamagedFile(f"a pickle with the operation {operation}, which no checkpoint has")

    def _memorise(self, argument: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _mark(self, argument: Any) -> None:
        self._aside.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._aside.pop()
        return items

    def _pop(self, argument: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _pop_mark(self, argument: Any) -> None:
        self._since_mark()

    def _tuple(self, argument: Any) -> None:
        items = self._since_mark()
        self.stack.append(tuple(items))

    def _list(self, argument: Any) -> None:
        items = self._since_mark()
        self.stack.append(items)

    def _dict(self, argument: Any) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._set_all(items)

    def _frozenset(self, argument: Any) -> None:
        items = self._since_mark()
        self.stack.append(frozenset(element(item) for item in items))

    def _append(self, argument: Any) -> None:
        item = self.stack.pop()
        self._top(list).append(item)

    def _appends(self, argument: Any) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def _add_items(self, argument: Any) -> None:
        items = self._since_mark()
        self._top(set).update(element(item) for item in items)

    def _set_item(self, argument: Any) -> None:
        value = self.stack.pop()
        self._set_all([self.stack.pop(), value])

    def _set_items(self, argument: Any) -> None:
        self._set_all(self._since_mark())

    def _set_all(self, items: list[Any]) -> None:
        target = self._top(dict)
        for name, value in zip(items[::2], items[1::2], strict=True):
            target[key(name)] = value

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise DamagedFile(f"a pickle that adds to something that is not a {kind.__name__}")
        return self.stack[-1]

    def _global(self, argument: Any) -> None:
        module, name = argument.split(" ", 1)
        self.stack.append(self._named(module, name))

    def _stack_global(self, argument: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise DamagedFile("a pickle that asks for a name that is not text")
        self.stack.append(self._named(module, name))

    def _named(self, module: str, name: str) -> Global:
        full = python3_name(module, name)
        if full not in NAMES and full not in self._builders:
            raise refusal(full)
        return Global(full)

    def _reduce(self, argument: Any) -> None:
        arguments = self.stack.pop()
        if type(arguments) is not tuple:
            raise DamagedFile("a pickle that calls something with arguments that are not a tuple")
        self._build_from(self.stack.pop(), arguments)

    def _instance(self, argument: Any) -> None:
        module, name = argument.split(" ", 1)
        self._build_from(self._named(module, name), tuple(self._since_mark()))

    def _object(self, argument: Any) -> None:
        kind, *arguments = self._since_mark()
        self._build_from(kind, tuple(arguments))

    def _build_from(self, kind: Any, arguments: tuple[Any, ...]) -> None:
        if not isinstance(kind, Global) or kind.name not in self._builders:
            raise DamagedFile("a pickle that calls something that is not a function")
        self._count(arguments)
        self.stack.append(self._builders[kind.name](*arguments))

    def _count(self, arguments: tuple[Any, ...]) -> None:
        """Count what is about to be copied."""
        self._bytes += sum(len(each) for each in arguments if isinstance(each, str | bytes))
        self._items += sum(len(each) for each in arguments if isinstance(each, list | tuple | dict | set))
        if self._bytes > self._most_bytes or self._items > MOST_OPERATIONS:
            raise DamagedFile(
                f"a pickle whose calls take {self._bytes} bytes and {self._items} items, and one of its size "
                f"should have {self._most_bytes} and {MOST_OPERATIONS} at most"
            )

    def _set_state(self, argument: Any) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Array | Dtype):
            target.__setstate__(state)
        elif type(target) is ObjectAttributes and type(state) is dict:
            self._count((state,))
            target.update(state)
        elif type(target) is not dict:
            raise DamagedFile("a pickle that changes something that has no state")
        # ObjectAttributes of a dictionary, such as a state dict's `_metadata`, are of no use to anybody here.

    def _persistent(self, argument: Any) -> None:
        if self._stored is None:
            raise DamagedFile("a pickle that refers to something outside of it")
        self.stack.append(self._stored(self.stack.pop()))


_OTHERS: Mapping[str, Callable[[_Unpickler, Any], None]] = {
    "MEMOIZE": _Unpickler._memorise,
    "MARK": _Unpickler._mark,
    "POP": _Unpickler._pop,
    "POP_MARK": _Unpickler._pop_mark,
    "TUPLE": _Unpickler._tuple,
    "LIST": _Unpickler._list,
    "DICT": _Unpickler._dict,
    "FROZENSET": _Unpickler._frozenset,
    "APPEND": _Unpickler._append,
    "APPENDS": _Unpickler._appends,
    "ADDITEMS": _Unpickler._add_items,
    "SETITEM": _Unpickler._set_item,
    "SETITEMS": _Unpickler._set_items,
    "GLOBAL": _Unpickler._global,
    "STACK_GLOBAL": _Unpickler._stack_global,
    "REDUCE": _Unpickler._reduce,
    "NEWOBJ": _Unpickler._reduce,
    "INST": _Unpickler._instance,
    "OBJ": _Unpickler._object,
    "BUILD": _Unpickler._set_state,
    "BINPERSID": _Unpickler._persistent,
}


def _literal(value: Any) -> Any:
    if type(value) is int and value.bit_length() > 8 * _MOST_DIGITS:
        raise UnsupportedFile(f"a whole number of {value.bit_length()} bits")
    return bytes(value) if isinstance(value, bytearray) else value
