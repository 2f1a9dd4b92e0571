"""What goes wrong when somebody asks for something that cannot be: one error, with the sentence to show."""


class RefusedError(Exception):
    """A request that is refused; `status` is for HTTP, the message is for the person who can mend it."""

    def __init__(self, message: str, status: int = 400, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code


def read_whole_number(name: str, value: object, default: int = 0) -> int:
    """A whole number of zero or more that somebody typed or sent; nothing means the default."""
    if value is None or value == "":
        return default
    text = str(value).strip()
    if not (text.isascii() and text.isdigit()):
        raise RefusedError(f"{name} must be a whole number, not {text!r}.")
    return int(text)
