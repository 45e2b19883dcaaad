"""What stands in a terminal."""

import re

from phantastic.show.progress import Bars


def drawn(bars: Bars) -> str:
    """Bars of progress as they stand now, without colours."""
    with bars.console.capture() as capture:
        for each in bars.get_renderables():
            bars.console.print(each)
    return re.sub(r"\x1b\[[\d;]+m", "", capture.get())
