"""Queries whose SQL is written once.

Django writes the SQL of a queryset anew whenever it is used, which takes longer than PostgreSQL needs to answer. What
every launch asks is written once for each kind of database, and run with other values after that. The rows come as the
same model instances.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import QuerySet
from django.db.models.query import ModelIterable

M = TypeVar("M", bound=models.Model)
# Stand for the values while the SQL is written; no query has such constants of its own.
_SAMPLES: dict[type[Any], Callable[[int], Any]] = {
    int: lambda number: 987_654_000 + number,
    str: lambda number: f"sample value {number}",
}


class KeptQuery(Generic[M]):
    """What `build` makes of its values, which are numbers and texts that are compared with columns as they are."""

    def __init__(self, build: Callable[..., QuerySet[M]], **values: type[int] | type[str]) -> None:
        self._build, self._values = build, values
        self._written: dict[str, _Written] = {}

    def first(self, **values: int | str) -> M | None:
        rows = self.all(**values)
        return rows[0] if rows else None

    def all(self, **values: int | str) -> list[M]:
        connection = connections[DEFAULT_DB_ALIAS]
        written = self._written.get(connection.vendor)
        if written is None:
            written = self._written[connection.vendor] = _Written(self._build, self._values)
        return list(ModelIterable(written.with_values(values, connection)))  # type: ignore[arg-type]


class _Written:
    """The SQL of a queryset, its parameters, and how its columns become models."""

    def __init__(self, build: Callable[..., QuerySet[Any]], kinds: dict[str, type[int] | type[str]]) -> None:
        samples = {name: _SAMPLES[kind](number) for number, (name, kind) in enumerate(kinds.items())}
        self._compiler = build(**samples).query.get_compiler(using=DEFAULT_DB_ALIAS)
        self._sql, parameters = self._compiler.as_sql()
        names = {sample: name for name, sample in samples.items()}
        # Of each parameter: the name of the value that goes there, its type (PostgreSQL has several integers), itself.
        self._parameters = [
            (names.get(one) if isinstance(one, int | str) else None, type(one), one) for one in parameters
        ]
        missing = set(kinds) - {name for name, _, _ in self._parameters}
        assert not missing, f"{missing} do not come into the query as they are"  # noqa: S101 - a mistake in our code
        columns = [column for column, _, _ in self._compiler.select]
        self._converters = self._compiler.get_converters(columns)

    def with_values(self, values: dict[str, int | str], connection: Any) -> _Run:
        parameters = tuple(kind(values[name]) if name else given for name, kind, given in self._parameters)
        compiler = copy.copy(self._compiler)
        compiler.connection = connection
        compiler.as_sql = lambda *_, **__: (self._sql, parameters)
        compiler.get_converters = lambda _: self._converters
        return _Run(compiler)


class _Run:
    """As much of a queryset as Django's reading of models asks for."""

    db = DEFAULT_DB_ALIAS
    _known_related_objects: dict[Any, Any] = {}

    def __init__(self, compiler: Any) -> None:
        self.query, self._compiler = self, compiler

    def get_compiler(self, using: str) -> Any:
        return self._compiler
