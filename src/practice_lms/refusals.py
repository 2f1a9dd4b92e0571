"""What goes wrong when somebody asks for something that cannot be: one error, with the sentence to show."""


class RefusedError(Exception):
    """A request that is refused; `status` is for HTTP, the message is for the person who can mend it."""

    def __init__(self, message: str, status: int = 400, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
