"""The console script `courseway`: what people and their scripts do without a browser.

Every command answers with people's text, or with one JSON document when `--json` is given. It ends with 0 when the
thing is done, 1 when it was refused (the reason is one line on stderr) and 2 when it was called wrongly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from courseway.cli.answers import Answer, RefusedError, print_answer
from courseway.cli.arguments import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(argv)
    except RefusedError as error:
        sys.stderr.write(f"courseway: {' '.join(str(error).split())}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(argv: list[str]) -> int:
    if argv[:1] == ["manage"]:
        return _manage(argv[1:])
    arguments = build_parser().parse_args(argv)
    if arguments.command == "demo":
        from courseway.cli.demo import run_demo

        return run_demo(arguments)
    from courseway.cli.start import refusing_plainly, set_up_django

    with refusing_plainly():
        set_up_django(is_checking=arguments.command == "check")
        from courseway.cli.commands import run_command

        answer = run_command(arguments)
    if isinstance(answer, Answer):
        print_answer(answer, as_json=getattr(arguments, "json", False))
        return answer.status
    return answer


def _manage(argv: list[str]) -> int:
    """Django's own commands, with Django's own manners."""
    from courseway.cli.start import name_settings

    name_settings()
    from django.core.management import ManagementUtility

    ManagementUtility(["courseway manage", *argv]).execute()
    return 0
