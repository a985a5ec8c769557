"""What of our code a program can come to: the definitions that it names, those that they name, and so on.

A definition is a statement at the top of a module: a class with all its methods, a function, a constant. Whoever holds
an object has its class from a definition that was named, so a method needs no name of its own. What a module does when
it is imported counts for all that import it. Where a definition asks for others by texts (`eval`, `sys.modules`), all
of its module counts, and of the modules that it names. Missed are a module or file whose name is made while the program
runs, a class that only `__init_subclass__` of its base has kept, and what reads docstrings or the texts of errors.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Set
from pathlib import Path

from pipelines.inputs.sources import Code, Place, Source, Statement

BY_TEXT = {"__import__", "eval", "exec", "globals", "import_module", "importlib.import_module", "sys.modules"}
"""How a definition gets at others without their names."""
HERE = {"__name__", "eval", "exec", "globals"}
"""At others of its own module."""
Chain = tuple[str, ...]
Definition = tuple[str, str]
"""A module, and a name that it binds."""


class Reach:
    """Grows by what it is told to follow.

    Args:
        beside: modules, packages and definitions (`module:name`) that are not followed.

    Attributes:
        definitions: module -> which of its statements have been reached.
        names: module -> which of its imports have been.
        files: those that are no modules, by what people are told.
        dealt_with: definitions that have been reached, and those that annotations name.
        given: names with texts that they are given in what has been reached: ("solver", "ddim").
    """

    def __init__(self, code: Code, beside: Collection[str]) -> None:
        self.code = code
        self.beside = beside
        self.definitions: dict[str, set[int]] = defaultdict(set)
        self.names: dict[str, set[str]] = defaultdict(set)
        self.files: dict[str, Path] = {}
        self.dealt_with: set[Definition] = set()
        self.given: set[tuple[str, str]] = set()
        self._sources: dict[str, Source | None] = {}
        self._executed: set[str] = set()
        self._asked: set[Definition] = set()
        self._waiting: list[tuple[Source, Statement]] = []

    def program(self, module: str) -> None:
        """Follow what `python -m MODULE` does."""
        source = self.source(module)
        if source is not None:
            self.execute(module)
            self.add(source, (index for index, one in enumerate(source.statements) if one.main))
        self.settle()

    def definitions_at(self, places: Iterable[Definition]) -> None:
        """Follow these."""
        for place in places:
            self.follow(place, ())
        self.settle()

    def source(self, module: str) -> Source | None:
        """None for what is not ours, or not to be followed."""
        if module not in self._sources:
            aside = any(module == one or module.startswith(f"{one}.") for one in self.beside)
            self._sources[module] = None if aside else self.code.module(module)
        return self._sources[module]

    def settle(self) -> None:
        while self._waiting:
            source, statement = self._waiting.pop()
            for module in statement.executes:
                self.execute(module)
            for chain in statement.written.used:
                self.name(source, chain)
            for first, *rest in statement.written.inner:
                for place in statement.imports.get(first, ()):
                    self.follow(place, tuple(rest))
            if any(".".join(chain[:2]) in BY_TEXT for chain in statement.written.used | statement.written.inner):
                self.whole(source, statement)
            for chain in statement.typed:
                if (definition := self.meant(source, chain)) is not None:
                    self.dealt_with.add(definition)
            self.given |= statement.given
            self.data_files(source, statement.texts)

    def name(self, source: Source, chain: Chain) -> None:
        """Follow a name as a module has it: by what it defines, or by what it has imported."""
        first, *rest = chain
        if f"{source.name}:{first}" in self.beside:
            return
        if first in source.bound:
            self.add(source, source.bound[first])
            self.dealt_with.add((source.name, first))
        for place in source.imports.get(first, ()):
            self.names[source.name].add(first)
            self.follow(place, tuple(rest))
        if first not in source.bound and first not in source.imports:
            self.from_stars(source, first, tuple(rest))

    def from_stars(self, source: Source, name: str, rest: Chain) -> None:
        """Follow what may come from a module of which all names are imported."""
        for module in source.stars:
            if (module, name) not in self._asked:
                self._asked.add((module, name))
                self.follow((module, name), rest)

    def whole(self, source: Source, statement: Statement) -> None:
        """Follow all of a module, and of those whose names a statement of it has as texts."""
        if not HERE.isdisjoint(chain[0] for chain in statement.written.used):
            for every in (*source.bound, *source.imports):
                self.name(source, (every,))
        for text in statement.texts:
            if all(part.isidentifier() for part in text.split(".")) and self.code.module(text) is not None:
                self.follow((text, None), ())

    def follow(self, place: Place, rest: Chain) -> None:
        """Follow what was imported; `rest` are the attributes that are asked of it."""
        module, name = place
        self.execute(module)
        source = self.source(module)
        if source is None:
            return
        if name is None and not rest:  # the module itself goes somewhere
            for every in (*source.bound, *source.imports):
                self.name(source, (every,))
        elif name is None:
            self.follow((module, rest[0]), rest[1:])
        elif name in source.bound or (name in source.imports and place not in source.imports[name]):
            self.name(source, (name, *rest))
        elif self.code.module(f"{module}.{name}") is not None:
            self.follow((f"{module}.{name}", None), rest)
        elif "__getattr__" in source.bound:
            self.name(source, ("__getattr__",))
            for where in source.fronts.get(name, ()):
                self.follow((where, name), rest)
        else:
            self.from_stars(source, name, rest)

    def meant(self, source: Source, chain: Chain) -> Definition | None:
        """The definition that a name of a module means, without following it."""
        first, *rest = chain
        if first in source.bound:
            return source.name, first
        module, name = source.imports.get(first, (("", None),))[-1]
        while name is None or self.code.module(f"{module}.{name}") is not None:  # a module, of which more is asked
            if not rest:
                return None
            module = module if name is None else f"{module}.{name}"
            name, *rest = rest
        found = self.code.module(module)
        return None if found is None else self.meant(found, (name,))

    def execute(self, module: str) -> None:
        """Follow what importing a module does by itself; one that stands beside does it too."""
        if module in self._executed:
            return
        parts = module.split(".")
        for name in (".".join(parts[: end + 1]) for end in range(len(parts))):
            if name in self._executed or (source := self.code.module(name)) is None:
                continue
            self._executed.add(name)
            self.add(source, source.effects)
            for other in source.executes:
                self.execute(other)

    def add(self, source: Source, indices: Iterable[int]) -> None:
        known = self.definitions[source.name]
        for index in indices:
            if index not in known:
                known.add(index)
                self._waiting.append((source, source.statements[index]))

    def take(self, other: "Reach") -> None:
        """Count what another one has come to."""
        for module, indices in other.definitions.items():
            self.definitions[module] |= indices
        for module, names in other.names.items():
            self.names[module] |= names
        self.files |= other.files

    def data_files(self, source: Source, texts: Set[str]) -> None:
        """Follow files that are named and lie beside a module, templates for instance, and what they name there."""
        start = f"{source.shown.rpartition('/')[0]}/"
        for name in source.data:
            if texts.isdisjoint({name, name.rpartition("/")[2], f"{start}{name}"}):
                continue
            shown = f"{source.shown.rpartition('/')[0]}/{name}"
            if shown not in self.files:
                self.files[shown] = source.data[name]
                content = source.data[name].read_text(encoding="utf-8", errors="replace")
                self.data_files(source, {one for one in source.data if one in content})

    def digests(self, with_declared: bool = False) -> dict[str, str]:
        """File -> what of it has been reached, as 32 hex digits.

        Args:
            with_declared: what components say of themselves too.
        """
        found = {}
        for name, indices in self.definitions.items():
            source = self.code.module(name)
            if source is not None and (indices or self.names[name]):
                imports = [
                    f"{one}={':'.join(map(str, place))}"
                    for one in sorted(self.names[name])
                    for place in source.imports[one]
                ]
                reached = [source.statements[index] for index in sorted(indices)]
                texts = [one.written.text for one in reached]
                texts += [word for one in reached if with_declared for word in one.declared]
                found[source.shown] = digest("\n".join([*imports, *texts]).encode())
        return dict(sorted((found | {shown: digest(file.read_bytes()) for shown, file in self.files.items()}).items()))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
