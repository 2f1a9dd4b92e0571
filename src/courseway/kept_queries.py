"""Queries whose SQL is written once.

Django writes the SQL of a queryset anew whenever it is used, which takes longer than PostgreSQL needs to answer. What
every launch asks is written once for each kind of database, and run with other values after that. The rows come as the
same model instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import QuerySet
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from courseway.postgresql.statements import run_kept

M = TypeVar("M", bound=models.Model)
N = TypeVar("N", bound=models.Model)
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
        return self.written().read(values)

    def written(self) -> _Written:
        """The query as it is written for this database."""
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        found = self._written.get(vendor)
        if found is None:
            found = self._written[vendor] = _Written(self._build, self._values)
        return found


def first_of_both(
    one: KeptQuery[M], values: Mapping[str, int | str], other: KeptQuery[N], other_values: Mapping[str, int | str]
) -> tuple[M | None, N | None]:
    """The first row of each of two queries, asked in one statement. Without one there is no other."""
    left, right = one.written(), other.written()
    rows = run_kept(_join(left.sql, right.sql), [*left.fill(values), *right.fill(other_values)])
    if not rows:
        return None, None
    row = tuple(rows[0])
    return left.make(row[: left.width]), right.make(row[left.width :])


@lru_cache
def _join(one: str, other: str) -> str:
    return f"SELECT * FROM ({one}) AS one LEFT JOIN ({other}) AS other ON TRUE LIMIT 1"  # noqa: S608 - of our own SQL


class _Written:
    """The SQL of a queryset, its parameters, and how its columns become models, as in Django's `ModelIterable`."""

    def __init__(self, build: Callable[..., QuerySet[Any]], kinds: dict[str, type[int] | type[str]]) -> None:
        samples = {name: _SAMPLES[kind](number) for number, (name, kind) in enumerate(kinds.items())}
        self._compiler: Any = build(**samples).query.get_compiler(using=DEFAULT_DB_ALIAS)
        self.sql, parameters = self._compiler.as_sql()
        names = {sample: name for name, sample in samples.items()}
        # Of each parameter: the name of the value that goes there, its type (PostgreSQL has several integers), itself.
        self._parameters = [
            (names.get(one) if isinstance(one, int | str) else None, type(one), one) for one in parameters
        ]
        missing = set(kinds) - {name for name, _, _ in self._parameters}
        assert not missing, f"{missing} do not come into the query as they are"  # noqa: S101 - a mistake in our code
        select = self._compiler.select
        self._converters = self._compiler.get_converters([column for column, _, _ in select])
        self._maker = _Maker(self._compiler.klass_info, select)
        self._annotations = tuple(self._compiler.annotation_col_map.items())
        self.width = len(select)

    def read(self, values: Mapping[str, int | str]) -> list[Any]:
        return [self.make(row) for row in run_kept(self.sql, self.fill(values))]

    def fill(self, values: Mapping[str, int | str]) -> list[Any]:
        """The parameters of the statement, in their order."""
        return [kind(values[name]) if name else given for name, kind, given in self._parameters]

    def make(self, row: Any) -> Any:
        """The model of a row; None for a row of nothing but NULL."""
        (row,) = self._compiler.apply_converters([row], self._converters)
        made = self._maker.make(row)
        if made is not None:
            made.__dict__.update([(name, row[position]) for name, position in self._annotations])
        return made


def make_model(model: type[M], columns: Iterable[tuple[str, Any]]) -> M:
    """A row as it is stored. A column that is not given is read when somebody asks for it, by Django's own ways."""
    made = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    made.__dict__.update(columns, _state=state)
    return made


class _Maker:
    """Makes a model of a part of a row, with those that belong to it, as Django's `RelatedPopulator` does.

    It puts the values where `Model.__init__` puts them, which asks each time who listens to `pre_init` and
    `post_init`: nobody may, for these models.
    """

    def __init__(self, info: dict[str, Any], select: list[Any]) -> None:
        self._model: type[models.Model] = info["model"]
        name = self._model.__name__
        assert not info.get("from_parent"), f"{name} is a part of another model"  # noqa: S101
        for signal in (pre_init, post_init):
            assert not signal.has_listeners(self._model), f"somebody wants to know of each {name}"  # noqa: S101
        positions = info["select_fields"]
        self._columns = slice(positions[0], positions[-1] + 1)
        self._names = [column[0].target.attname for column in select[self._columns]]
        self._key = positions[0] + self._names.index(self._model._meta.pk.attname)
        self._related = [
            (_Maker(related, select), related["local_setter"], related["remote_setter"])
            for related in info.get("related_klass_infos", [])
        ]

    def make(self, row: Any) -> models.Model | None:
        if row[self._key] is None:
            return None
        made: models.Model = make_model(self._model, zip(self._names, row[self._columns], strict=True))
        for maker, tell_it, tell_related in self._related:
            related = maker.make(row)
            tell_it(made, related)
            if related is not None:
                tell_related(related, made)
        return made
