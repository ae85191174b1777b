"""What a pickle would do, found by following its opcodes with stand-ins for values: nothing is imported or called.

The real machine runs opcode after opcode until STOP or the first error, so a broken pickle has done harm by then: the
walk reports what was reached. Strings, small numbers, tuples and the memo are followed, since names are put together
from them; everything else is a value of no interest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_lifecycle.stores.formats.pickle_machine import MARK, MAX_ITEMS, VALUE, Halt, Machine, Made, Named
from model_lifecycle.stores.formats.pickle_values import VALUES, Act, key_of


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


def _tuple(count: int) -> Act:
    def act(machine: Machine, _: bytes) -> None:
        values = [machine.pop() for _ in range(count)][::-1] if count >= 0 else machine.pop_marked()
        machine.stack.append(tuple(values) if len(values) <= MAX_ITEMS else VALUE)

    return act


def _put(machine: Machine, key: int | bytes) -> None:
    if not machine.stack or machine.stack[-1] is MARK:
        raise Halt
    machine.memo[key] = machine.stack[-1]


def _get(machine: Machine, key: int | bytes) -> None:
    if key not in machine.memo:
        raise Halt
    machine.stack.append(machine.memo[key])


def _by(act: Callable[[Machine, int | bytes], None], key: Callable[[bytes], int | bytes]) -> Act:
    return lambda machine, argument: act(machine, key(argument))


def _binary(argument: bytes) -> int:
    return int.from_bytes(argument, "little")


def _memoize(machine: Machine, _: bytes) -> None:
    _put(machine, len(machine.memo))


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
    machine.extended = True
    machine.stack.append(VALUE)


def _persistent_line(machine: Machine, _: bytes) -> None:
    # Plain loaders know no such objects, and torch knows none that is named by a line of text.
    machine.persistent = True
    raise Halt


def _persistent(machine: Machine, _: bytes) -> None:
    machine.pop()
    machine.persistent = True
    machine.stack.append(VALUE)


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
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            if isinstance(key, str) and (key in target or len(target) < MAX_ITEMS):
                target[key] = value if len(target) < MAX_ITEMS else VALUE
    machine.stack.append(target)


def _proto(_: Machine, argument: bytes) -> None:
    if argument[0] > 5:
        raise Halt


def _stop(machine: Machine, _: bytes) -> None:
    machine.pop()
    machine.complete = True


_ACTS: dict[str, Act] = {
    **VALUES,
    "EMPTY_TUPLE": _tuple(0),
    **{f"TUPLE{count}": _tuple(count) for count in (1, 2, 3)},
    "TUPLE": _tuple(-1),
    "EMPTY_DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    **dict.fromkeys(["BINPUT", "LONG_BINPUT"], _by(_put, _binary)),
    **dict.fromkeys(["BINGET", "LONG_BINGET"], _by(_get, _binary)),
    "PUT": _by(_put, key_of),
    "GET": _by(_get, key_of),
    "MEMOIZE": _memoize,
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
    "PERSID": _persistent_line,
    "BINPERSID": _persistent,
    "APPEND": _append,
    **dict.fromkeys(["APPENDS", "ADDITEMS"], _appends),
    "PROTO": _proto,
    "STOP": _stop,
}
