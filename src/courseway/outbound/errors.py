"""Why there is no answer."""

from __future__ import annotations


class OutboundError(Exception):
    """No answer could be had. `detail` is safe to show: it names the host, never a query, a header or an address.

    `may_have_arrived` is False when the request certainly never reached the other side.
    """

    def __init__(self, detail: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.may_have_arrived = may_have_arrived


class AddressRefusedError(OutboundError):
    """The address is malformed, or leads to a place that requests of ours must not reach."""


class NoAnswerError(OutboundError):
    """No connection, no complete answer before the deadline, or an answer that is no HTTP."""


class AnswerTooLargeError(OutboundError):
    """The answer is larger than was allowed. It arrived, so the request did too."""
