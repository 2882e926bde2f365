"""Tables of what the harness is made of (families, metrics, engines), to which packages outside may
add.

A table's own entries are lines "name": "module:object". A package adds one by an entry point of the
same form, in the group of the table:

    [project.entry-points."xstilts_harness.metrics"]
    my_metric = "my_package.my_metric:MY_METRIC"

An object is imported when it is first asked for, in workers too, so that a job loads only what it
uses.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from harness.common.errors import MissingError, PluginError, SpecError

PREFIX = "xstilts_harness."  # of every group

Entry = TypeVar("Entry")


class NotInstalled(MissingError, KeyError):
    """A release or a store names something that a package brings which is not here."""

    def __str__(self) -> str:  # KeyError's would put quotes around it
        return str(self.args[0])


class Table(Mapping[str, Entry], Generic[Entry]):
    """Name → object, the harness's own first, then those from outside by name.

    group   of the entry points, without PREFIX
    own     name → "module:object"
    sound   what keeps an outside object from being one of the table's entries, in a few words;
            None: nothing
    raises  PluginError: two that claim one name (when names are listed); one that cannot be
            imported or is not `sound` (when it is asked for). NotInstalled: a name that nobody has
    """

    def __init__(
        self, group: str, own: Mapping[str, str], sound: Callable[[str, object], str | None]
    ) -> None:
        self.group, self._own, self._sound = group, own, sound
        self.loaded: dict[str, Entry] = {}

    @cached_property
    def outside(self) -> dict[str, EntryPoint]:
        """What other packages bring."""
        found: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=PREFIX + self.group)):
            if point.name in self._own:
                raise PluginError(f"{_said(point)}: the harness has {point.name!r} of its own")
            if point.name in found and found[point.name] != point:
                other = _said(found[point.name])
                raise PluginError(f"{_said(point)}: {other} has that name too; uninstall one")
            found[point.name] = point
        return found

    def __getitem__(self, name: str) -> Entry:
        if name not in self.loaded:
            if name in self._own:
                module, _, attribute = self._own[name].partition(":")
                self.loaded[name] = getattr(import_module(module), attribute)
            elif name in self.outside:
                self.loaded[name] = self._from_outside(self.outside[name])
            else:
                raise NotInstalled(
                    f"{self.group}: {name!r} is not here; there is {', '.join(self)}; install the"
                    " package that brings it"
                )
        return self.loaded[name]

    def _from_outside(self, point: EntryPoint) -> Entry:
        # whatever a stranger's module raises, it is that package which is broken
        try:
            found = point.load()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise PluginError(f"{_said(point)} cannot be loaded: {why}") from error
        if wrong := self._sound(point.name, found):
            raise PluginError(f"{_said(point)}: {wrong}")
        entry: Entry = found
        return entry

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self.outside

    def __len__(self) -> int:
        return len(self._own) + len(self.outside)

    def chosen(self, name: str, kind: str) -> Entry:
        """The entry that somebody asked for by name. SpecError, with the nearest, if there is none
        such."""
        if name not in self:
            known = ", ".join(self)
            raise SpecError(f"no {kind} is called {name!r}; there is {known}")
        return self[name]

    def __contains__(self, name: object) -> bool:
        """Without loading it."""
        return name in self._own or name in self.outside


def _said(point: EntryPoint) -> str:
    package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"plug-in {point.name} ({point.value}){package}"
