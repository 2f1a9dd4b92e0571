"""The way back to the LMS, with a message for the person or for the LMS's log."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from ltikit.parameters import is_web_url


def build_return_url(
    url: str, *, message: str = "", log: str = "", error_message: str = "", error_log: str = ""
) -> str:
    """`url` with `lti_msg`, `lti_log`, `lti_errormsg` and `lti_errorlog` added; "" unless it is an http(s) URL.

    Empty texts are left out and the URL's own query stays as it is (LTI 1.1 §4.2, LTI 1.3 core §5.4.4).
    Use only a URL from a correctly signed message, else this is an open redirect.
    """
    if not is_web_url(url):
        return ""
    texts = {"lti_msg": message, "lti_log": log, "lti_errormsg": error_message, "lti_errorlog": error_log}
    added = urlencode({name: text for name, text in texts.items() if text}, quote_via=quote)
    if not added:
        return url
    address, mark, fragment = url.partition("#")
    if "?" not in address:
        glue = "?"
    else:
        glue = "" if address.endswith(("?", "&")) else "&"
    return f"{address}{glue}{added}{mark}{fragment}"
