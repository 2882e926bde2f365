"""Every way in which a run can stop short of its goal, and the exit code that says so.

Room code raises one of these; `cli` prints its message on stderr and exits with its code.
A refusal of the system (permission, full disk) that no room has worded is one line too, with code
74 (`cli.app.REFUSALS`). Anything else that reaches the top is a bug of ours and keeps its
traceback.

    0    done
    1    done, and the answer is no: a check failed, a job failed
    2    bad input: a spec, a name, an option, a plug-in
    3    something is not here: data or weights, with the command that fetches them
    4    refused: the numbers would mislead (a leak, placeholder labels, a partial run)
    74   the store, the disk or standard output cannot be read or written
    75   (job run) another live process works on that job; ask again later
    130  interrupted by SIGINT (Ctrl-C); the same command resumes
    141  nobody reads what we print any more (`| head`), as a shell says of a program that SIGPIPE
         ended
    143  interrupted by SIGTERM (scancel, docker stop); the same command resumes
"""


class HarnessError(Exception):
    """Base of the errors a user can act on. `str(error)` is one or more whole lines for stderr."""

    exit_code = 1


class SpecError(HarnessError):
    """A YAML file, a name or an option is wrong; each line reads `file:line:column: what, nearest
    valid name`."""

    exit_code = 2


class PluginError(HarnessError):
    """A family, metric or engine of a package outside is broken, or two have one name."""

    exit_code = 2


class MissingError(HarnessError):
    """Data or weights are not on this machine; the message names them and the command that fetches
    them."""

    exit_code = 3


class RefusedError(HarnessError):
    """The harness will not print this number, because it would mislead."""

    exit_code = 4


class StoreError(HarnessError):
    """The store cannot be read or written: full disk, permissions, a foreign file in the way."""

    exit_code = 74
