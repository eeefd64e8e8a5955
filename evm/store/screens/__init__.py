"""Rows as the screens show them, each query under the reader's scope. Reading only; writing is the services' and their nouns' modules'."""

from evm.store.screens.scope import Scope

__all__ = ["Scope"]
