"""Typed, pure LTI: verify launches, build and read the messages of LTI 1.1 and LTI 1.3 Advantage.

Nothing in this package opens a socket, reads a clock or knows a web framework.
The caller hands in bytes, keys and the time, and gets back a value or one named error.
"""

from ltikit.errors import LtiError
from ltikit.http import Request, Response
from ltikit.launch import Context, Launch, Person, ResourceLink, Role

__all__ = ["Context", "Launch", "LtiError", "Person", "Request", "ResourceLink", "Response", "Role"]
