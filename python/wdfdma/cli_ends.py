"""How a command ends: with which exit code, and what it says of input that is not well."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from wdfdma._native import VERSION
from wdfdma.explain import UnknownNameError
from wdfdma.fault_sites import SiteLogError
from wdfdma.files import dump_json
from wdfdma.problems import ScenarioError

MATCH, DIFFERENCE, BAD_INPUT, OUR_ERROR, INTERRUPTED = 0, 1, 2, 3, 130


def report_errors(command: Callable[..., int]) -> Callable[..., int]:
    """A command that ends with BAD_INPUT where its input is not well, and says why: a line for each problem.

    With --json these are a document too. A reader of the output that has gone is no error.
    """

    @wraps(command)
    def run_command(*arguments: Any, **options: Any) -> int:
        as_json = bool(options.get("as_json"))
        try:
            return command(*arguments, **options)
        except ScenarioError as error:
            return _refuse(error.lines, as_json)
        except (SiteLogError, UnknownNameError) as error:
            return _refuse([str(error)], as_json)
        except BrokenPipeError:
            # Python must not fail once more when it closes its output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return MATCH
        except OSError as error:
            name = error.filename or type(error).__name__
            return _refuse([f"{name}: {error.strerror or error}"], as_json)

    return run_command


def _refuse(lines: list[str], as_json: bool) -> int:
    if as_json:
        click.echo(dump_json({"version": VERSION, "errors": lines}, indent=1))
    for line in lines:
        click.echo(line, err=True)
    return BAD_INPUT
