"""What a pickle would do, found by following its opcodes with stand-ins for values: nothing is imported or called.

The real machine runs opcode after opcode until STOP or the first error, so a broken pickle has done harm by then: the
walk reports what was reached. Strings, small numbers, tuples and the memo are followed, since names are put together
from them; everything else is a value of no interest.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Any

from model_lifecycle.stores.formats.pickle_machine import (
    MARK,
    MAX_ITEMS,
    MAX_LINE,
    MAX_TEXT,
    VALUE,
    Halt,
    Machine,
    Made,
    Named,
)

Act = Callable[[Machine, bytes], None]


def walk(machine: Machine) -> Machine:
    """Follow a pickle to its end; ``machine.position`` is then behind its last opcode."""
    try:
        while not machine.complete:
            info = machine.opcode()
            argument = machine.argument(info)
            act = _ACTS.get(info.name)
            if act is not None:
                act(machine, argument)
            else:
                machine.shuffle(info)
            machine.check_size()
    except Halt:
        pass
    machine.stack, machine.memo = [], {}
    return machine


def _text(encoding: str, errors: str = "strict") -> Act:
    def act(machine: Machine, argument: bytes) -> None:
        try:
            machine.hold(argument.decode(encoding, errors) if len(argument) <= MAX_TEXT else None)
        except UnicodeDecodeError as error:
            raise Halt from error

    return act


def _quoted(machine: Machine, line: bytes) -> None:
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        if len(line) < MAX_LINE:
            raise Halt
        machine.stack.append(VALUE)
        return
    try:
        machine.hold(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))
    except ValueError as error:
        raise Halt from error


def _number(machine: Machine, line: bytes) -> None:
    try:
        machine.stack.append(
            {b"00": False, b"01": True}.get(line) if line in (b"00", b"01") else int(line[:20] or b"x")
        )
    except ValueError as error:
        raise Halt from error


def _floating(machine: Machine, line: bytes) -> None:
    try:
        float(line[:400])
    except ValueError as error:
        raise Halt from error
    machine.stack.append(VALUE)


def _long(machine: Machine, line: bytes) -> None:
    if not re.fullmatch(rb"\s*[+-]?[0-9_]*L?\s*", line[:100]):
        raise Halt
    _number(machine, line[:19].rstrip(b"L"))


def _integer(signed: bool) -> Act:
    return lambda machine, argument: machine.stack.append(
        int.from_bytes(argument, "little", signed=signed) if len(argument) <= 16 else VALUE
    )


def _constant(value: Any) -> Act:
    return lambda machine, _: machine.stack.append(value)


def _tuple(count: int) -> Act:
    def act(machine: Machine, _: bytes) -> None:
        values = [machine.pop() for _ in range(count)][::-1] if count >= 0 else machine.pop_marked()
        machine.stack.append(tuple(values) if len(values) <= MAX_ITEMS else VALUE)

    return act


def _put(machine: Machine, argument: bytes, index: int | None = None) -> None:
    if not machine.stack or machine.stack[-1] is MARK:
        raise Halt
    if index is None:
        index = len(machine.memo) if not argument else int.from_bytes(argument, "little")
    machine.memo[index] = machine.stack[-1]


def _get(machine: Machine, argument: bytes, index: int | None = None) -> None:
    key = int.from_bytes(argument, "little") if index is None else index
    if key not in machine.memo:
        raise Halt
    machine.stack.append(machine.memo[key])


def _by_line(act: Callable[..., None]) -> Act:
    def by_line(machine: Machine, line: bytes) -> None:
        try:
            index = int(line[:20])
        except ValueError as error:
            raise Halt from error
        act(machine, line, index)

    return by_line


def _pop(machine: Machine, _: bytes) -> None:
    if not machine.stack:
        raise Halt
    machine.stack.pop()


def _dup(machine: Machine, _: bytes) -> None:
    value = machine.pop()
    machine.stack += [value, value]


def _names_of(machine: Machine) -> tuple[str, str]:
    try:
        return machine.line().decode(), machine.line().decode()
    except UnicodeDecodeError as error:
        raise Halt from error


def _global(machine: Machine, _: bytes) -> None:
    machine.imports(*_names_of(machine))


def _stack_global(machine: Machine, _: bytes) -> None:
    name, module = machine.pop(), machine.pop()
    machine.imports(module, name)


def _inst(machine: Machine, _: bytes) -> None:
    machine.imports(*_names_of(machine))
    target = machine.pop()
    machine.calls(target, tuple(machine.pop_marked()[:MAX_ITEMS]))


def _obj(machine: Machine, _: bytes) -> None:
    values = machine.pop_marked()
    if not values:
        raise Halt
    target, *args = values
    machine.calls(target, tuple(args[:MAX_ITEMS]))


def _reduce(machine: Machine, _: bytes) -> None:
    args, target = machine.pop(), machine.pop()
    machine.calls(target, args)


def _new_with_keywords(machine: Machine, _: bytes) -> None:
    machine.pop()
    _reduce(machine, _)


def _build(machine: Machine, _: bytes) -> None:
    state, target = machine.pop(), machine.pop()
    if isinstance(target, Named):
        machine.unclear.append(f"a new state for {target} itself")
    if isinstance(target, Made):
        target.state = state
        if machine.built is not None:
            machine.stack.append(target)
            machine.built(machine, target)
            return
    machine.stack.append(target)


def _extension(machine: Machine, _: bytes) -> None:
    machine.unclear.append("an import by extension code")
    machine.stack.append(VALUE)


def _persistent(machine: Machine, _: bytes) -> None:
    machine.persistent = True
    machine.stack.append(VALUE)


def _persistent_value(machine: Machine, _: bytes) -> None:
    machine.pop()
    _persistent(machine, _)


def _append(machine: Machine, _: bytes) -> None:
    machine.pop()
    _extended(machine)


def _appends(machine: Machine, _: bytes) -> None:
    machine.pop_marked()
    _extended(machine)


def _extended(machine: Machine) -> None:
    target = machine.pop()
    if isinstance(target, Named):
        machine.unclear.append(f"items added to {target} itself")
    machine.stack.append(target)


def _dict(machine: Machine, _: bytes) -> None:
    machine.stack.append({})


def _set_item(machine: Machine, _: bytes) -> None:
    value, key = machine.pop(), machine.pop()
    _fill(machine, [key, value])


def _set_items(machine: Machine, _: bytes) -> None:
    _fill(machine, machine.pop_marked())


def _fill(machine: Machine, pairs: list[Any]) -> None:
    target = machine.pop()
    if isinstance(target, Named):
        machine.unclear.append(f"items set on {target} itself")
    if isinstance(target, dict):
        for key, value in zip(pairs[: 2 * MAX_ITEMS : 2], pairs[1 : 2 * MAX_ITEMS : 2], strict=False):
            if isinstance(key, str) and len(target) < MAX_ITEMS:
                target[key] = value
    machine.stack.append(target)


def _proto(_: Machine, argument: bytes) -> None:
    if argument[0] > 5:
        raise Halt


def _stop(machine: Machine, _: bytes) -> None:
    machine.pop()
    machine.complete = True


def _halt(_: Machine, __: bytes) -> None:
    raise Halt  # buffers beside the pickle, which no loader of files gives


_ACTS: dict[str, Act] = {
    **dict.fromkeys(["BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"], _text("utf-8", "surrogatepass")),
    **dict.fromkeys(["BINSTRING", "SHORT_BINSTRING"], _text("latin-1")),
    "UNICODE": _text("raw-unicode-escape"),
    "STRING": _quoted,
    "INT": _number,
    "LONG": _long,
    "FLOAT": _floating,
    **dict.fromkeys(["BININT", "LONG1", "LONG4"], _integer(True)),
    **dict.fromkeys(["BININT1", "BININT2"], _integer(False)),
    **{name: _constant(value) for name, value in (("NONE", None), ("NEWTRUE", True), ("NEWFALSE", False))},
    "MARK": _constant(MARK),
    "EMPTY_TUPLE": _tuple(0),
    **{f"TUPLE{count}": _tuple(count) for count in (1, 2, 3)},
    "TUPLE": _tuple(-1),
    "EMPTY_DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    **dict.fromkeys(["BINPUT", "LONG_BINPUT", "MEMOIZE"], _put),
    **dict.fromkeys(["BINGET", "LONG_BINGET"], _get),
    "PUT": _by_line(_put),
    "GET": _by_line(_get),
    "POP": _pop,
    "DUP": _dup,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords,
    "BUILD": _build,
    **dict.fromkeys(["EXT1", "EXT2", "EXT4"], _extension),
    "PERSID": _persistent,
    "BINPERSID": _persistent_value,
    "APPEND": _append,
    **dict.fromkeys(["APPENDS", "ADDITEMS"], _appends),
    "PROTO": _proto,
    "STOP": _stop,
    **dict.fromkeys(["NEXT_BUFFER", "READONLY_BUFFER"], _halt),
}
