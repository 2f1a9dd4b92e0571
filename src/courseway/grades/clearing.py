"""What sending grades leaves behind is forgotten after a while: tries of deliveries, tokens that are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from courseway.grades.models import AccessToken, Delivery, DeliveryTry
from courseway.old_rows import delete_batches, delete_walking

TOKENS_KEPT = timedelta(days=1)


def clear_tries(*, before: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Forget the tries before `before`. Returns how many went.

    The last one of each delivery is kept, and all of a delivery that is not settled: they say why.
    """
    log = DeliveryTry.objects.all()
    is_last = ~Exists(DeliveryTry.objects.filter(delivery=OuterRef("delivery"), pk__gt=OuterRef("pk")).order_by())
    is_settled = Q(delivery__state__in=(Delivery.State.SENT, Delivery.State.UNCHANGED), delivery__next_try_at=None)

    def find_needed(pks: list[int]) -> list[int]:
        return list(log.filter(is_last | ~is_settled, pk__in=pks).order_by().values_list("pk", flat=True))

    return delete_walking(log, before=before, find_needed=find_needed, is_over=is_over)


def clear_tokens(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(AccessToken.objects.filter(expires_at__lt=now - TOKENS_KEPT), is_over=is_over)
