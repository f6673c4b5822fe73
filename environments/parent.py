"""A process that ends with the one that started it."""

import os
import threading

VARIABLE = "END_WITH_STDIN"


def end_with_parent() -> None:
    """End this process when its standard input closes: whoever started it is gone, killed or not.

    Only where the one that started it asks for that (`rerank.environment_process`): by hand, input may be closed.
    """
    if os.environ.get(VARIABLE) != "1":
        return

    def watch() -> None:
        # Not sys.stdin: its lock, held by this thread, is fatal when the interpreter ends.
        while os.read(0, 1 << 10):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
