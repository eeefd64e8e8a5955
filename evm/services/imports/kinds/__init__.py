"""Every kind of file there is, one a module, in the order in which a new agency takes them in."""

from typing import Final

from evm.services.imports.kind import ImportKind

KINDS: Final[tuple[ImportKind, ...]] = ()
