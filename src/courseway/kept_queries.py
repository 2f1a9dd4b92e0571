"""Queries whose SQL is written once.

Django writes the SQL of a queryset anew whenever it is used, which takes longer than PostgreSQL needs to answer. What
every launch asks is written once for each kind of database, and run with other values after that. The rows come as the
same model instances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import QuerySet
from django.db.models.query import get_related_populators

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
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        written = self._written.get(vendor)
        if written is None:
            written = self._written[vendor] = _Written(self._build, self._values)
        return written.read(values)


class _Written:
    """The SQL of a queryset, its parameters, and how its columns become models, as in Django's `ModelIterable`."""

    def __init__(self, build: Callable[..., QuerySet[Any]], kinds: dict[str, type[int] | type[str]]) -> None:
        samples = {name: _SAMPLES[kind](number) for number, (name, kind) in enumerate(kinds.items())}
        self._compiler: Any = build(**samples).query.get_compiler(using=DEFAULT_DB_ALIAS)
        self._sql, parameters = self._compiler.as_sql()
        names = {sample: name for name, sample in samples.items()}
        # Of each parameter: the name of the value that goes there, its type (PostgreSQL has several integers), itself.
        self._parameters = [
            (names.get(one) if isinstance(one, int | str) else None, type(one), one) for one in parameters
        ]
        missing = set(kinds) - {name for name, _, _ in self._parameters}
        assert not missing, f"{missing} do not come into the query as they are"  # noqa: S101 - a mistake in our code
        select, klass = self._compiler.select, self._compiler.klass_info
        self._converters = self._compiler.get_converters([column for column, _, _ in select])
        self._model: type[models.Model] = klass["model"]
        self._columns = slice(klass["select_fields"][0], klass["select_fields"][-1] + 1)
        self._names = [column[0].target.attname for column in select[self._columns]]
        # (The stubs are those of a later Django.)
        self._related: list[Any] = get_related_populators(klass, select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]
        self._annotations = tuple(self._compiler.annotation_col_map.items())

    def read(self, values: dict[str, int | str]) -> list[Any]:
        parameters = [kind(values[name]) if name else given for name, kind, given in self._parameters]
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(self._sql, parameters)
            rows = cursor.fetchall()
        return [self._make(row) for row in self._compiler.apply_converters(rows, self._converters)]

    def _make(self, row: Any) -> models.Model:
        made = self._model.from_db(DEFAULT_DB_ALIAS, self._names, row[self._columns])
        for related in self._related:
            related.populate(row, made)
        for name, position in self._annotations:
            setattr(made, name, row[position])
        return made
