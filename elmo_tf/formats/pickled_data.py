"""Reads pickles as data: an interpreter of a few opcodes, which looks up no name, calls nothing and so runs no code.

Python's `pickle.load` calls whatever a file names. This module has no place where it could: a name in the file becomes
a piece of text, and a call becomes a record of that name and its arguments. A pickle with another opcode, or with a
name that the caller does not admit, is refused.
"""

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

_DICTIONARY = "collections OrderedDict"
"""The one name whose call is carried out: it makes a dictionary, empty or, as Python 2 wrote it, of a list of pairs."""


class Name(NamedTuple):
    """A name of a class or a function in a pickle: its module, a space, and its own name."""

    text: str


class Call(NamedTuple):
    """A call that a pickle asks for, and that is not made.

    Args:
        name: the name of the function.
        arguments: its arguments.
    """

    name: str
    arguments: tuple[Any, ...]


class Reference(NamedTuple):
    """A reference to an object outside of the pickle ("persistent id"), such as the numbers of a tensor."""

    key: Any


def read_pickle(file: IO[bytes], names: Collection[str]) -> Any:
    """Reads one pickle from a file, which is then at the byte after it.

    Args:
        file: the file, at the beginning of the pickle.
        names: the names that the pickle may hold besides that of the ordered dictionary, written as "module name".

    Returns:
        Numbers, texts, None, tuples, lists and dictionaries, and in them `Name`, `Call` and `Reference`. Attributes
        that the pickle gives to a dictionary are left out.

    Raises:
        ValueError: the pickle is damaged, has an opcode that is not read here, or holds another name.

    Example:

    >>> import collections, io, pickle
    >>> read_pickle(io.BytesIO(pickle.dumps(collections.OrderedDict(a=(1, "b")), 2)), names=())
    {'a': (1, 'b')}
    >>> read_pickle(io.BytesIO(pickle.dumps(print, 2)), names=())
    Traceback (most recent call last):
    ValueError: it names __builtin__ print, which no file of weights needs
    """
    machine = _Machine({_DICTIONARY, *names})
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.do(opcode.name, argument)
    except (IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"the pickle is damaged ({type(error).__name__})") from error
    raise ValueError("the pickle has no end")


@dataclass
class _Machine:
    """The stack of the values that were read, the stacks below its marks, and the values that the pickle numbered."""

    names: Collection[str]
    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def do(self, opcode: str, argument: Any) -> None:
        """Carries out one opcode."""
        if opcode in _IGNORED:
            return
        if opcode in _VALUES:
            self.stack.append(argument)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode]())
        elif opcode in _TUPLES:
            size = _TUPLES[opcode]
            self.stack.append(tuple(self.stack.pop() for _ in range(size))[::-1])
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self, argument)
        else:
            raise ValueError(f"it has the opcode {opcode}, which no file of weights needs")

    def from_mark(self) -> list[Any]:
        """Takes the values above the last mark off the stack."""
        found, self.stack = self.stack, self.below.pop()
        return found

    def make_tuple(self, _: Any) -> None:
        """Replaces the values above the last mark by their tuple."""
        values = self.from_mark()
        self.stack.append(tuple(values))

    def name(self, argument: str) -> None:
        """Puts a name on the stack, as text."""
        if argument not in self.names:
            raise ValueError(f"it names {argument}, which no file of weights needs")
        self.stack.append(Name(argument))

    def call(self, _: Any) -> None:
        """Replaces a name and its arguments by a record of the call, or by a dictionary."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise TypeError("a call of something that is no name")
        is_dictionary = called.text == _DICTIONARY
        self.stack.append(dict(*arguments) if is_dictionary else Call(called.text, arguments))

    def mark(self, _: Any) -> None:
        """Begins a new stack above the present one."""
        self.below.append(self.stack)
        self.stack = []

    def set_items(self, pairs: list[Any]) -> None:
        """Adds keys and values, which take turns, to the dictionary on the stack."""
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError("items of something that is no dictionary")
        if len(pairs) % 2:
            raise TypeError("a key without a value")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        """Adds values to the list on the stack."""
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError("values of something that is no list")
        target.extend(values)

    def leave_attributes_out(self, _: Any) -> None:
        """Takes the attributes of a dictionary off the stack."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise TypeError("attributes of something that is no dictionary")

    def remember(self, number: int) -> None:
        """Numbers the value on the stack."""
        self.memo[number] = self.stack[-1]


_IGNORED = {"PROTO", "FRAME"}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
"""Opcodes whose argument is the value: whole numbers and texts, those of Python 2 too."""

_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
"""Opcodes that make a tuple of this many values."""

_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.leave_attributes_out,
    "TUPLE": _Machine.make_tuple,
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.from_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(), machine.stack.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.from_mark()),
    "BINPERSID": lambda machine, _: machine.stack.append(Reference(machine.stack.pop())),
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "BINGET": lambda machine, number: machine.stack.append(machine.memo[number]),
    "LONG_BINGET": lambda machine, number: machine.stack.append(machine.memo[number]),
}
