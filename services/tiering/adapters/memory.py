"""What a process remembers of accounts and codes between units of work, so that a batch reads only what is new to it.

The memory is true only as long as nobody else wrote: every unit of work raises the ledger's epoch by one, and a process
that finds an epoch other than the next after its own forgets everything. What a unit of work changed is remembered only
after its commit; if that is never known, the epochs differ and the memory is dropped. So no lock is needed in here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from services.tiering.domain.account import Account, Binding


class Memory:
    """At most `limit` accounts and as many codes, the longest unused forgotten first."""

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        self._epoch: int | None = None
        self._accounts: OrderedDict[int, Account] = OrderedDict()
        self._codes: OrderedDict[str, tuple[Binding, ...]] = OrderedDict()

    def open(self, epoch: int) -> None:
        """A unit of work begins at `epoch`; keep what is remembered only if it is the next after our own."""
        if self._epoch is None or epoch != self._epoch + 1:
            self.forget()

    def account(self, number: int) -> Account | None:
        found = self._accounts.get(number)
        if found is not None:
            self._accounts.move_to_end(number)
        return found

    def bindings(self, code: str) -> tuple[Binding, ...] | None:
        return self._codes.get(code)

    def learn(self, accounts: Mapping[int, Account], codes: Mapping[str, tuple[Binding, ...]]) -> None:
        """Add what was read in this epoch; it was true before anything was changed."""
        self._accounts.update(accounts)
        self._codes.update((code, bindings) for code, bindings in codes.items() if bindings)

    def committed(self, epoch: int, accounts: Mapping[int, Account], changed_codes: Iterable[str]) -> None:
        """The unit of work of this epoch has committed with these accounts as they are now."""
        if self._epoch is not None and epoch != self._epoch + 1:
            self.forget()
        self._epoch = epoch
        self._accounts.update(accounts)
        for code in changed_codes:
            self._codes.pop(code, None)
        for memory in (self._accounts, self._codes):
            while len(memory) > self._limit:
                memory.popitem(last=False)

    def forget(self) -> None:
        self._epoch = None
        self._accounts.clear()
        self._codes.clear()
