"""One generation run."""

from __future__ import annotations

from collections.abc import Callable

from integrations.world.generate.deals import Deals
from integrations.world.generate.inbound import Inbound


class World(Deals, Inbound):
    """``run`` pushes all rows of the generated company to the sink."""

    def run(self, progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None) -> None:
        """Generate everything; ``progress`` hears what is being made and how far it is."""
        self._people()
        self._words()
        companies = self._companies()
        for number in range(self.size.deals):
            self._deal(companies, number)
            if number % 500 == 0:
                progress("deals", number, self.size.deals)
        self._leads(companies)
        self._tickets(companies)
        self._flush()
